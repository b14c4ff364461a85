"""Teller of one story: casts the characters, picks a plot and fills in what it leaves open."""

from collections.abc import Callable
from functools import cache

from speedrun.data.storybook.parser import SETTLED, Grammar, prefixed

ANIMAL_SHARE = 0.4
SAME_GENDER_SHARE = 0.35
PRAISE_SHARE = 0.3
CLOSING_SHARE = 0.5
MIN_PACE = 0.3  # share of the chance of an optional beat, in the tersest stories
ROLES = ("", "f", "e", "w")
GENDERS = {
    "f": {"he": "she", "him": "her", "his": "her", "himself": "herself", "man": "woman"},
    "m": {"he": "he", "him": "him", "his": "his", "himself": "himself", "man": "man"},
}


@cache
def pronouns(genders: str) -> dict[str, str]:
    """Pronouns of the hero ({he}), the friend ({fhe}), the elder ({ehe}), the worker ({whe})."""
    roles = zip(ROLES, genders, strict=True)
    facts = {role + word: form for role, gender in roles for word, form in GENDERS[gender].items()}
    return facts | {key.capitalize(): form.capitalize() for key, form in facts.items()}


class Teller(dict[str, str]):
    """Facts of one story; a key that is not a fact is drawn from the rules, anew each time."""

    __slots__ = ("draw", "grammar", "rules", "undecided")

    def __init__(self, grammar: Grammar, draw: Callable[[], float]) -> None:
        self.grammar = grammar
        self.rules = grammar.rules
        self.draw = draw
        self.undecided: dict[str, str] = {}

    def __missing__(self, key: str) -> str:
        options = self.rules.get(key)
        if options is None:
            return self._decided(key)
        text = options[int(self.draw() * len(options))]
        return text % self if "%" in text else text

    def _decided(self, key: str) -> str:
        """Value of a key without a rule: a cell, drawn once; a fact with article or capital."""
        if key in self.undecided:
            self[key] = told = self.undecided.pop(key) % self
            return told
        if self.grammar.options(key):
            return self[key]
        for prefix in ("^", "a "):
            if key.startswith(prefix):
                return prefixed(prefix, self[key.removeprefix(prefix)])
        raise LookupError(f"the storybook has no rule {key!r}")

    def settle(self, name: str) -> None:
        """Decide on a row of a table, or on one option of a rule, for the whole story."""
        if name not in self.grammar.tables:
            self[name] = self[name]
            return
        rows = self.grammar.tables[name]
        for key, cell in rows[int(self.draw() * len(rows))].items():
            if "%" in cell:  # its choices are drawn on first use
                self.undecided[key] = cell
                self.pop(key, None)
            else:
                self[key] = cell

    def cast(self) -> str:
        """Decide who is in the story; the genders of hero, friend, elder and worker."""
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
            child = {"f": "girl", "m": "boy"}
            self.update(kind=child[hero], fkind=child[friend], hands="hands")
            self.update(hero=self[child[hero]], friend=self[child[friend]])
        while self["friend"] == self["hero"]:
            self["friend"] = self["helper"]
        for name in SETTLED:
            self.settle(name)
        return genders


def tell(grammar: Grammar, draw: Callable[[], float]) -> tuple[str, Teller]:
    """One story and the facts it was told with."""
    teller = Teller(grammar, draw)
    teller.cast()
    plot = grammar.plots[int(draw() * len(grammar.plots))]
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
