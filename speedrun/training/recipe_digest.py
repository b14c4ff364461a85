"""Digest of a recipe: what laws and records name instead of a name that may change its meaning."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from pydantic_core import to_jsonable_python

from speedrun.config import Data, Recipe, Run
from speedrun.protocols import Architecture
from speedrun.records.schema import Record
from speedrun.text import format_size
from speedrun.training import request
from speedrun.training.request import CheckedRequest, RunRequest

_SIZE = "1M"
_LEFT_OUT = ("recipe_name", "seed", "budget_s", "keep")


def recipe_digest(
    architecture: Architecture, recipe_name: str, settings: Iterable[str] = ()
) -> str:
    """SHA-256 of the settings at 1M parameters and the default vocabulary.

    Neither size and tables nor name, seed, budget or held-out documents are in it. Where the
    settings fix a size that is not near 1M, it is over what recipe and settings say of the model.
    ValueError or LookupError for a recipe or a setting that is not known.
    """
    asked = RunRequest(arch=architecture.NAME, recipe=recipe_name, settings=tuple(settings))
    return of_request(request.check(architecture, asked))


def of_request(checked: CheckedRequest) -> str:
    """The digest of a race's recipe; of a record that is run again, of its very settings."""
    if checked.request.again is not None:
        return _sha256(_plain(checked.request.again))
    data = Data(tokenizer=checked.data.tokenizer, stride=checked.data.stride)
    asked = replace(checked.request, params=_SIZE, tables="0")
    any_size = replace(checked, data=data, request=asked)
    try:
        return _sha256(_plain(any_size.run(data.vocab)))
    except ValueError:
        model = {**checked.of_recipe, **checked.chosen}
        recipe = checked.recipe.as_dict()
        if checked.recipe.lr_table == Recipe.lr_table:  # no record of old has it
            del recipe["lr_table"]
        of_run = {"recipe": recipe, "data": asdict(data)}
        return _sha256({"arch": checked.architecture.NAME, "model": model, **of_run})


def of_record(record: Record) -> str | None:
    """The digest of a record's recipe; of one before schema 4 only at the digest's own size."""
    if record.source is not None:
        return record.source.recipe
    content, data = record.config, Data()
    if (
        format_size(record.num_params) != _SIZE
        or content.get("data", {}).get("vocab") != data.vocab
    ):
        return None
    same = {"data": {**content["data"], "eval_docs": data.eval_docs}}
    return _sha256({key: one for key, one in (content | same).items() if key not in _LEFT_OUT})


def _plain(run: Run) -> dict[str, Any]:
    return {key: value for key, value in run.as_dict().items() if key not in _LEFT_OUT}


def _sha256(content: dict[str, Any]) -> str:
    canonical = json.dumps(to_jsonable_python(content), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
