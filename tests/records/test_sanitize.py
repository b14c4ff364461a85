"""Text of strangers: what acts is shown, what is seen stays."""

import pytest

from speedrun.records.sanitize import brief, is_sanitized, markdown, sanitize

ACTING = ["\x1b[31m", "\a", "a\nb", "\r", "\t", "\x7f", "\x9b31m", "Z" + "\u0301" * 8]
# Directions, widths of zero, separators, private and lone letters, tags, fillers, variations.
ACTING += list("\u202e\u2066\u200b\u200d\u00ad\ufeff\u2028\u2029\ue000\ud800\U000e0041\u3164\ufe0f")
ACTING += list("\u034f\u2800")


@pytest.mark.parametrize("text", ACTING, ids=ascii)
def test_what_acts_is_shown_as_what_it_is(text):
    shown = sanitize(text)
    assert shown != text and not is_sanitized(text)
    assert is_sanitized(shown) and shown.isprintable()
    assert "\\" in shown
    shown.encode("utf-8")


@pytest.mark.parametrize("text", ["", "plain", "für", "狐狸", "🦊", "e\u0301", "שלום", "a|b`c`<b>"])
def test_what_is_seen_stays(text):
    assert sanitize(text) == text and is_sanitized(text)


def test_lines_stay_only_where_they_may():
    assert sanitize("a\nb\x1b", lines=True) == "a\nb\\x1b"
    assert sanitize("a\nb") == "a\\nb"


def test_marks_on_one_letter_are_counted_anew_for_each():
    assert sanitize("e\u0301\u0302e\u0301\u0302") == "e\u0301\u0302e\u0301\u0302"
    assert sanitize("e" + "\u0301" * 3) == "e\u0301\u0301\\u0301"


def test_markdown_shows_its_signs():
    assert markdown("a|b") == "a\\|b"
    assert markdown("<script>") == "\\<script\\>"
    assert markdown("[x](https://y)") == "\\[x\\](https\\://y)"
    assert markdown("`*_~#$ www.x.y") == "\\`\\*\\_\\~\\#\\$ www\\.x.y"
    assert markdown("2026-11-22, p = 0.01 (2M)") == "2026-11-22, p = 0.01 (2M)"
    assert "\n" not in markdown("a\n# b") and markdown("\u202e") == "\\\\u202e"


@pytest.mark.parametrize("value", ["x" * 10**6, {"a": [{"b": "\x1b"}] * 9999}, 10**400, "\u202e"])
def test_a_value_in_an_error_is_short_and_inert(value):
    assert len(brief(value)) <= 81 and is_sanitized(brief(value))


def test_markdown_calls_nobody_and_links_no_issue():
    assert markdown("by @someone, see #12") == "by @&#8203;someone, see \\#&#8203;12"
    assert markdown("tinystories@ff16") == "tinystories@ff16"
    assert markdown("") == ""
