"""Tells one story: casts the characters, picks a plot and fills in what the plot leaves open."""

from collections.abc import Callable
from functools import cache

from speedrun.data.storybook.book import SETTLED, Book, prefixed

ANIMAL_SHARE = 0.4
SAME_GENDER_SHARE = 0.35
PRAISE_SHARE = 0.3
CLOSING_SHARE = 0.5
MIN_PACE = 0.3  # The fewest of its optional beats that a story tells, as a share of their chance.
ROLES = ("", "f", "e", "w")
GENDERS = {
    "f": {"he": "she", "him": "her", "his": "her", "himself": "herself", "man": "woman"},
    "m": {"he": "he", "him": "him", "his": "his", "himself": "himself", "man": "man"},
}


@cache
def pronouns(genders: str) -> dict[str, str]:
    """{he}, {his} ... of the hero, {fhe} of the friend, {ehe} of the elder, {whe} of the worker."""
    facts = {}
    for role, gender in zip(ROLES, genders, strict=True):
        for word, form in GENDERS[gender].items():
            key = role + word
            facts |= {key: form, key.capitalize(): form.capitalize()}
    return facts


class Teller(dict[str, str]):
    """The facts of one story; a key that is not a fact is drawn from the rules, anew each time."""

    __slots__ = ("book", "draw", "rules", "undecided")

    def __init__(self, book: Book, draw: Callable[[], float]) -> None:
        self.book = book
        self.rules = book.rules
        self.draw = draw
        self.undecided: dict[str, str] = {}

    def __missing__(self, key: str) -> str:
        options = self.rules.get(key)
        if options is None:
            return self._decided(key)
        text = options[int(self.draw() * len(options))]
        return text % self if "%" in text else text

    def _decided(self, key: str) -> str:
        """What no rule has: a cell, drawn once for the story; a fact with an article or capital."""
        if key in self.undecided:
            self[key] = told = self.undecided.pop(key) % self
            return told
        if self.book.options(key):
            return self[key]
        for prefix in ("^", "a "):
            if key.startswith(prefix):
                return prefixed(prefix, self[key.removeprefix(prefix)])
        raise LookupError(f"the storybook has no rule {key!r}")

    def settle(self, name: str) -> None:
        """Decides on a row of a table, or on one option of a rule, for the whole story."""
        if name in self.book.tables:
            rows = self.book.tables[name]
            row = rows[int(self.draw() * len(rows))]
            self.update(row.fixed)
            self.undecided.update(row.drawn)
            for key in row.drawn:
                self.pop(key, None)
        else:
            self[name] = self[name]

    def cast(self) -> str:
        """Decides who is in the story; returns the genders of hero, friend, elder and worker."""
        draw = self.draw
        hero = "f" if draw() < 0.5 else "m"
        same = draw() < SAME_GENDER_SHARE
        friend = hero if same else "m" if hero == "f" else "f"
        self.settle("elder")
        genders = hero + friend + self["gender"] + ("f" if draw() < 0.5 else "m")
        self.update(pronouns(genders))
        if draw() < ANIMAL_SHARE:
            self.update(hero=self["pet"], friend=self["pet"], hands="paws")
            self.update(kind=self["pawed"], fkind=self["anybeast"])
        else:
            self._cast_children(hero, friend)
        while self["friend"] == self["hero"]:
            self["friend"] = self["helper"]
        for name in SETTLED:
            self.settle(name)
        return genders

    def _cast_children(self, hero: str, friend: str) -> None:
        child = {"f": "girl", "m": "boy"}
        self.update(kind=child[hero], fkind=child[friend], hands="hands")
        self.update(hero=self[child[hero]], friend=self[child[friend]])


def tell(book: Book, draw: Callable[[], float]) -> tuple[str, Teller]:
    """One story and the facts it was told with."""
    teller = Teller(book, draw)
    teller.cast()
    plot = book.plots[int(draw() * len(book.plots))]
    for name in plot.settled:
        teller.settle(name)
    pace = MIN_PACE + (1 - MIN_PACE) * draw()
    beats = [
        phrasings[int(draw() * len(phrasings))]
        for chance, phrasings in plot.beats
        if chance == 1 or draw() < chance * pace
    ]
    if draw() < PRAISE_SHARE * pace:
        beats.append("%(praise)s")
    if draw() < CLOSING_SHARE * pace:
        beats.append("%(closing)s")
    text = " ".join(["%(opening)s", *beats]) % teller
    return text.replace(" \n ", "\n"), teller
