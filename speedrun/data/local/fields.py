"""Choice of the column or key that holds the documents."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

DEFAULT = "text"
_MOST_NAMES = 12
_KINDS = {type(None): "null or none", bool: "a truth value", list: "a list", dict: "an object"}


def choose(where: str, wanted: str | None, names: Iterable[str], of_text: Iterable[str]) -> str:
    """The field of that name, else `text`, else the only one of text.

    `names` are all of them, nested ones with dots; `of_text` those that hold strings.
    """
    names, of_text = list(names), list(of_text)
    if wanted is not None:
        if wanted in names:
            return wanted
        raise ValueError(f"{where}: no field {wanted!r}; there are {_listed(names)}")
    if DEFAULT in names:
        return DEFAULT
    if len(of_text) == 1 and "." not in of_text[0]:
        return of_text[0]
    if not of_text:
        raise ValueError(
            f"{where}: no field holds text; there are {_listed(names)}: put the documents into"
            f" a field {DEFAULT!r} of strings"
        )
    raise ValueError(
        f"{where}: no field {DEFAULT!r}, and text in {_listed(of_text)}: name the one with the"
        f" documents: --text-field {of_text[-1]}"
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:_MOST_NAMES])
    return (shown or "none") + (", …" if len(names) > _MOST_NAMES else "")


def of_object(where: str, wanted: str | None, row: Mapping[str, Any]) -> str:
    """The field of a JSON object, the first of a file."""
    values = dict(_flat(row, ""))
    texts = [name for name, value in values.items() if isinstance(value, str)]
    return choose(where, wanted, values, texts)


def _flat(row: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        yield before + name, value
        if isinstance(value, dict) and before.count(".") < 8:
            yield from _flat(value, f"{before}{name}.")


def text_of(where: str, field: str, row: Mapping[str, Any]) -> str:
    """The text of a JSON object; ValueError where there is none."""
    value: Any = row.get(field)
    if field not in row:
        value = row
        for name in field.split("."):
            value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, str):
        return value
    found = _KINDS.get(type(value), "a number")
    raise ValueError(
        f"{where}: expected a string in field {field!r}, found {found}; write text there"
    )
