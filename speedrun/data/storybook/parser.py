"""Grammar of the storybook, read from the text files in `grammar/`.

A line that starts with two spaces continues the line before. In a phrase, `{name}` stands for a
rule or a fact of the story, `{a name}` adds the right article, `{^name}` a capital, and
`{this/that}` picks one; choices nest. The first word of a line says what the line is:

    name = one | two       a rule with its options on one line
    = name                 a rule whose options are the lines that follow
    = name: key | key      a table: each line that follows is a row of facts that belong together
    # name                 a plot; from here on `= name` heads a beat, a list of phrasings
    = name 60%             a beat that 60 stories in 100 tell
    @ name name            rules or tables that this plot settles for the whole story
    ---                    a paragraph may end here
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

SETTLED = ("trait", "place", "weather", "pastime")  # in every story, whatever its plot
PARAGRAPH_CHANCE = 0.7
_RULE = re.compile(r"([^={}]+) = (.*)")
_FIELD = re.compile(r"\{([^{}]*)\}")
_ARTICLE = re.compile(r"\b([aA]) %\((?!\^)")  # "a {colour}" may have to become "an orange"
_VOWEL_SOUNDS = ("a", "e", "i", "o", "u", "honest", "hour")
_CONSONANT_SOUNDS = ("eu", "one", "uk", "uni", "use")


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Kind of story: what it settles at its start, and its beats as (chance, phrasings)."""

    name: str
    settled: list[str] = field(default_factory=list)
    beats: list[tuple[float, list[str]]] = field(default_factory=list)


class Grammar:
    """Rules to draw from, tables of facts that belong together, and plots.

    Texts are kept as %-templates, which Python fills in fastest; every inline choice becomes a
    rule of its own. Raises ValueError for a text that does not follow the format.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.rules: dict[str, list[str]] = {}
        self.tables: dict[str, list[dict[str, str]]] = {}
        self.plots: list[Plot] = []
        self._choices: dict[str, str] = {}
        self._facts: set[str] = set(SETTLED)
        self._take: Callable[[str], None] = self._refuse
        for text in texts:
            for line in _logical_lines(text):
                self._add(line)

    def options(self, key: str) -> list[str] | None:
        """Options of a rule; None for "a fact" and "^fact", which only a story can decide."""
        if key not in self.rules:
            prefix = "^" if key.startswith("^") else "a "
            rule = key.removeprefix(prefix)
            options = None if rule == key or rule in self._facts else self.options(rule)
            if options is None:
                return None
            self.rules[key] = [prefixed(prefix, option) for option in options]
        return self.rules[key]

    def _add(self, line: str) -> None:
        mark, _, rest = line.partition(" ")
        if mark == "#":
            self.plots.append(Plot(name=rest))
        elif mark == "@":
            self.plots[-1].settled.extend(rest.split())
            self._facts.update(rest.split())
        elif mark == "---":
            self.plots[-1].beats.append((PARAGRAPH_CHANCE, ["\n"]))
        elif mark == "=":
            self._open(rest)
        elif rule := _RULE.fullmatch(line):
            self.rules[rule[1]] = self._template(rule[2]).split(" | ")
        else:
            self._take(line)

    def _open(self, header: str) -> None:
        """Start a table, a beat or a rule, which takes the lines that follow."""
        name, is_table, columns = header.partition(": ")
        if is_table:
            keys, rows = columns.split(" | "), self.tables.setdefault(name, [])
            self._facts.update(keys)
            self._take = lambda line: rows.append(self._row(name, keys, line))
            return
        if self.plots:
            options: list[str] = []
            chance = re.fullmatch(r".* (\d+)%", header)
            self.plots[-1].beats.append((int(chance[1]) / 100 if chance else 1.0, options))
        else:
            options = self.rules.setdefault(header, [])
        self._take = lambda line: options.append(self._template(line))

    def _row(self, table: str, keys: list[str], line: str) -> dict[str, str]:
        cells = self._template(line).split(" | ")
        if len(cells) != len(keys):
            raise ValueError(f"table {table!r} has {len(keys)} columns, this row not: {line!r}")
        return dict(zip(keys, cells, strict=True))

    def _refuse(self, line: str) -> None:
        raise ValueError(f"the storybook has a line before any header: {line!r}")

    def _template(self, text: str) -> str:
        """The text with its fields as `%(name)s`, the innermost braces first."""
        while (filled := _FIELD.sub(self._field, text)) != text:
            text = filled
        if "{" in text or "}" in text:
            raise ValueError(f"unbalanced braces in the storybook: {text!r}")
        return _with_articles(text)

    def _field(self, match: re.Match[str]) -> str:
        options = match[1].split("/")
        if len(options) == 1:
            return f"%({match[1]})s"
        if match[1] not in self._choices:
            rule = self._choices[match[1]] = f"#{len(self._choices)}"
            self.rules[rule] = [_with_articles(option) for option in options]
        return f"%({self._choices[match[1]]})s"


def _with_articles(template: str) -> str:
    return _ARTICLE.sub(lambda at: "%(a " if at[1] == "a" else "%(^a ", template)


def prefixed(prefix: str, text: str) -> str:
    """The text with an article ("a ") or a capital ("^"); a field in front takes it over."""
    if text.startswith("%("):
        return f"%({prefix}{text[2:]}"
    if prefix == "^":
        return text[0].upper() + text[1:]
    takes_an = text.startswith(_VOWEL_SOUNDS) and not text.startswith(_CONSONANT_SOUNDS)
    return ("an " if takes_an else "a ") + text


def _logical_lines(text: str) -> Iterator[str]:
    joined = re.sub(r"\n  +", " ", text)
    return (line.strip() for line in joined.splitlines() if line.strip())


@cache
def grammar() -> Grammar:
    """The whole grammar, read on first use: rules and tables first, then the plots."""
    folder = resources.files("speedrun.data.storybook") / "grammar"
    names = sorted(file.name for file in folder.iterdir() if file.name.startswith("plots_"))
    texts = ("names.txt", "words.txt", "phrases.txt", "tables.txt", *names)
    return Grammar((folder / name).read_text(encoding="utf-8") for name in texts)
