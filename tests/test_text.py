"""Numbers as text and text as numbers."""

import pytest

from speedrun import text
from speedrun.text import nearest, parse_eval_docs, parse_minutes, parse_size, parse_sizes


@pytest.mark.parametrize(
    ("given", "number"),
    [("2M", 2_000_000), ("250k", 250_000), ("1.5m", 1_500_000), ("100", 100), ("1B", 10**9)],
)
def test_sizes_are_read_with_their_unit(given, number):
    assert parse_size(given) == number


@pytest.mark.parametrize("given", ["", "2X", "M", "-2M", "0", "0.0M", "two", "1e6", "nan", "2 M M"])
def test_sizes_that_are_none_say_what_is_allowed(given):
    with pytest.raises(ValueError, match="give a number above 0 such as"):
        parse_size(given)


def test_sizes_ascend():
    assert parse_sizes("250K,1M") == (250_000, 1_000_000)
    with pytest.raises(ValueError, match=r"--params 1M,1M: .* each larger than the one before"):
        parse_sizes("1M,1M")


@pytest.mark.parametrize(
    ("form", "number", "shown"),
    [
        (text.format_size, 2_004_288, "2M"),
        (text.format_size, 250_000, "250K"),
        (text.format_size, 999, "999"),
        (text.count, 1.5e9, "1.5B"),
        (text.count, 3.2e12, "3.2T"),
        (text.size, 1500, "1.5 kB"),
        (text.size, 140e6, "0.14 GB"),
        (text.flop, 1.2e16, "1.20e16 FLOP"),
        (text.rate, 173e9, "173 GFLOP/s"),
        (text.rate, 20e12, "20 TFLOP/s"),
        (text.duration, 90, "90 s"),
        (text.duration, 4000, "1.11 h"),
        (text.duration, 4 * 86400, "4.0 days"),
        (text.clock, 247.9, "4:07"),
    ],
)
def test_numbers_print_with_their_unit(form, number, shown):
    assert form(number) == shown


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "five", "", "1441"])
def test_minutes_that_are_none_say_what_is_allowed(given):
    with pytest.raises(ValueError, match="--minutes"):
        parse_minutes(given)


def test_documents_are_a_number_or_all():
    assert (parse_eval_docs("60"), parse_eval_docs("all")) == (60, None)
    with pytest.raises(ValueError, match="'all'"):
        parse_eval_docs("some")


def test_nearest_offers_close_names():
    few = str(nearest("transfomer", ["transformer", "lstm"], "architecture"))
    assert "did you mean transformer?" in few and "known: lstm, transformer" in few
    many = [f"recipe.{letter}" for letter in "abcdefghijklmnopqrs"]
    assert str(nearest("c", many, "key")) == "unknown key 'c': did you mean recipe.c?"
    assert "recipe.s" in str(nearest("model", many, "key"))


def test_one_thing_is_none_of_several():
    assert [text.counted(n, "step") for n in (0, 1, 2000)] == ["0 steps", "1 step", "2,000 steps"]
