"""Strict JSON: one unambiguous object, validated into a frozen section; errors are one line."""

import json
import math
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from speedrun.records.sanitize import sanitize

Finite = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
# What a double holds exactly is more than enough, and arithmetic with it cannot overflow.
Count = Annotated[int, Field(ge=0, le=1 << 53)]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """Base of all saved objects: strict and frozen, an unknown or missing field is an error."""

    # constants: NaN must reach `content_id`, which refuses it, not turn into null on the way.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, ser_json_inf_nan="constants"
    )

    def content(self) -> dict[str, Any]:
        """Plain values by the names of the file."""
        return self.model_dump(mode="json", by_alias=True)

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(self.content(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def parse_section(
    kind: type[S], raw: bytes, where: str, *, limit: int, name: str = ""
) -> tuple[dict[str, Any], S]:
    """The JSON object in these bytes, plain and as a section.

    Raises ValueError, in one line that begins with `where`, for bytes above the `limit`, JSON that
    is ambiguous, and values outside the schema.
    """
    name = name or kind.__name__.lower()
    if len(raw) > limit:
        raise ValueError(f"{where}: larger than a {name} may be ({limit} bytes)")
    try:
        return strict_json(raw), kind.model_validate_json(raw)
    except ValidationError as error:
        raise ValueError(f"{where}: not a {name} ({first_error(error)})") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: not a {name} ({error})") from None


def first_error(error: ValidationError) -> str:
    """Path and message of the first validation error; short, since keys may be anybody's."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = sanitize(".".join(str(part) for part in first["loc"])) or "file"
    return f"{path[:80]}: {first['msg']}"


def strict_json(raw: bytes) -> dict[str, Any]:
    """The JSON object in these bytes; ValueError for NaN, duplicate keys and bytes not UTF-8."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    content = json.loads(text, parse_constant=_refuse, object_pairs_hook=_without_duplicates)
    if not isinstance(content, dict):
        raise ValueError("not one JSON object")
    return content


def plain(value: Any) -> Any:
    """A value without what JSON in UTF-8 does not take, so that a record always can be written.

    Numbers that are not finite become None, and halves of surrogate pairs, which bytes in a name
    that are no text stand for, become question marks.
    """
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return content
