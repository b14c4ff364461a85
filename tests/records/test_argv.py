"""Options of a command line in pairs."""

from speedrun.records.argv import option_pairs, without_seed

ARGV = ["--arch", "lstm", "--seed", "3", "--set", "a=1", "--set", "b=2"]


def test_options_and_their_values():
    assert option_pairs(ARGV)[-2:] == [("--set", "a=1"), ("--set", "b=2")]
    assert option_pairs([]) == []


def test_the_seed_alone_is_left_out():
    assert without_seed(ARGV) == ["--arch", "lstm", "--set", "a=1", "--set", "b=2"]
