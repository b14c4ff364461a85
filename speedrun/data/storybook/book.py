"""Reads the words, phrases, tables and plots of the storybook into one grammar.

Notation. `{name}` is a rule or a fact of the story; `{a name}` puts the right article before it and
`{^name}` a capital. `{this/that}` picks one; choices nest. A line that starts with two spaces goes
on with the line before. `= name` heads the phrases of a rule or, in a plot, of a beat; `= name 60%`
a beat that 60 stories in 100 tell; `= name: column | column` a table. In a plot `---` may end a
paragraph, and `@ name` settles a rule or a row of a table for the whole story.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from speedrun.data.storybook import (
    names,
    people,
    phrases,
    plots_caring,
    plots_contests,
    plots_courage,
    plots_friends,
    plots_gifts,
    plots_honesty,
    plots_making,
    plots_outdoors,
    plots_strangers,
    plots_things,
    plots_wishes,
    words,
)

WORDS = (names, words)
PHRASES = (phrases, people)
PLOTS = (
    *(plots_caring, plots_contests, plots_courage, plots_friends, plots_gifts, plots_honesty),
    *(plots_making, plots_outdoors, plots_strangers, plots_things, plots_wishes),
)
SETTLED = ("trait", "place", "weather", "pastime")  # In every story, whatever its plot.
PARAGRAPH_CHANCE = 0.7
ARTICLE = re.compile(r"\b([aA]) %\((?!\^)")  # "a {colour}" may have to become "an orange"
VOWEL_SOUNDS = ("a", "e", "i", "o", "u", "honest", "hour")
CONSONANT_SOUNDS = ("eu", "one", "uk", "uni", "use")


@dataclass(frozen=True, kw_only=True)
class Plot:
    """What a story of one kind settles at its start, and its beats as (chance, phrasings)."""

    name: str
    settled: list[str] = field(default_factory=list)
    beats: list[tuple[float, list[str]]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table: cells known at once, and cells whose choices are drawn on first use."""

    fixed: dict[str, str]
    drawn: dict[str, str]


@dataclass(frozen=True)
class Book:
    """The grammar: rules to draw from, tables of rows that belong together, and plots."""

    rules: dict[str, list[str]] = field(default_factory=dict)
    tables: dict[str, list[Row]] = field(default_factory=dict)
    plots: list[Plot] = field(default_factory=list)
    choices: dict[str, str] = field(default_factory=dict)
    facts: set[str] = field(default_factory=lambda: set(SETTLED))

    def options(self, key: str) -> list[str] | None:
        """What a rule may become; None for "a fact" and "^fact", which only a story can decide."""
        if key not in self.rules:
            prefix = "^" if key.startswith("^") else "a "
            rule = key.removeprefix(prefix)
            options = None if rule == key or rule in self.facts else self.options(rule)
            if options is None:
                return None
            self.rules[key] = [prefixed(prefix, option) for option in options]
        return self.rules[key]

    def compiled(self, text: str) -> str:
        """The text as a %-template (quickest to fill in), each choice made a rule of its own."""
        out, depth, start = [], 0, 0
        for i, char in enumerate(text):
            if char == "{":
                depth += 1
                start = i + 1 if depth == 1 else start
            elif char == "}":
                depth -= 1
                if depth == 0:
                    out.append(self._compiled_field(text[start:i]))
            elif depth == 0:
                out.append(char)
            if depth < 0:
                break
        if depth:
            raise ValueError(f"unbalanced braces in the storybook: {text!r}")
        return ARTICLE.sub(lambda at: "%(a " if at[1] == "a" else "%(^a ", "".join(out))

    def _compiled_field(self, body: str) -> str:
        options = split(body, "/")
        if len(options) == 1:
            return f"%({body})s"
        if body not in self.choices:
            rule = f"#{len(self.choices)}"
            self.choices[body] = rule
            self.rules[rule] = [self.compiled(option) for option in options]
        return f"%({self.choices[body]})s"

    def add_words(self, text: str) -> None:
        """Adds rules written as `name = option | option`."""
        for line in logical_lines(text, " | "):
            name, _, options = line.partition(" = ")
            self.rules[name] = [self.compiled(option) for option in split(options, " | ")]

    def add_blocks(self, text: str) -> None:
        """Adds rules, tables and plots from blocks of lines."""
        beat: list[str] = []
        for line in logical_lines(text, " "):
            if line.startswith("# "):
                self.plots.append(Plot(name=line[2:]))
            elif line.startswith("@ "):
                self._settle(line[2:].split())
            elif line == "---":
                self.plots[-1].beats.append((PARAGRAPH_CHANCE, ["\n"]))
            elif line.startswith("= "):
                beat = self._add_header(line[2:])
            else:
                beat.append(self.compiled(line))
        for header in [header for header in self.rules if ": " in header]:
            self._add_table(header, self.rules.pop(header))

    def _settle(self, names: list[str]) -> None:
        self.plots[-1].settled.extend(names)
        self.facts.update(names)

    def _add_header(self, header: str) -> list[str]:
        """Opens a rule, a table or a beat, and returns the list that takes its lines."""
        lines: list[str] = []
        chance = re.fullmatch(r".* (\d+)%", header)
        if self.plots and ": " not in header:
            self.plots[-1].beats.append((int(chance[1]) / 100 if chance else 1.0, lines))
        else:
            self.rules[header] = lines
        return lines

    def _add_table(self, header: str, lines: list[str]) -> None:
        name, _, columns = header.partition(": ")
        keys = columns.split(" | ")
        self.tables[name] = []
        self.facts.update(keys)
        for line in lines:
            cells = line.split(" | ")
            if len(cells) != len(keys):
                raise ValueError(f"table {name!r} has {len(keys)} columns, this row not: {line!r}")
            row = dict(zip(keys, cells, strict=True))
            drawn = {key: cell for key, cell in row.items() if "%" in cell}
            fixed = {key: cell for key, cell in row.items() if "%" not in cell}
            self.tables[name].append(Row(fixed=fixed, drawn=drawn))


def prefixed(prefix: str, text: str) -> str:
    """The text with an article ("a ") or a capital ("^"); a field in front takes it over."""
    if text.startswith("%("):
        return f"%({prefix}{text[2:]}"
    if prefix == "^":
        return text[0].upper() + text[1:]
    takes_an = text.startswith(VOWEL_SOUNDS) and not text.startswith(CONSONANT_SOUNDS)
    return ("an " if takes_an else "a ") + text


def split(text: str, mark: str) -> list[str]:
    """Splits at the marks that stand outside braces."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if depth == 0 and text.startswith(mark, i):
            parts.append(text[start:i])
            start = i + len(mark)
    return [*parts, text[start:]]


def logical_lines(text: str, joint: str) -> Iterator[str]:
    """Lines with their continuations joined on; empty lines are left out."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("  ") and lines:
            lines[-1] += joint + line.strip()
        elif line.strip():
            lines.append(line.strip())
    return iter(lines)


@cache
def book() -> Book:
    """The whole grammar, read on first use."""
    made = Book()
    for module in WORDS:
        made.add_words(module.TEXT)
    for module in (*PHRASES, *PLOTS):
        made.add_blocks(module.TEXT)
    return made
