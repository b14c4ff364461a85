"""The index: the guide, links, records with their duels and stories, signs, colours and shapes."""

import re

import pytest
from helpers import page_store
from helpers.made_records import BOUND, add, add_note, made, verification

from leaderboard import boards
from leaderboard.render.html import plots
from leaderboard.render.html.entry import context
from leaderboard.render.html.page import write_page
from leaderboard.render.html.series import MARKERS, NUM_SERIES, series
from leaderboard.standing.boards import Board
from leaderboard.standing.boards import boards as boards_of
from leaderboard.store import open_store
from speedrun.records.summary import summarize
from speedrun.system import git

ADDRESS = "https://forge.example/somebody/speedrun"


def page_of(store, to) -> str:
    return write_page(to, *page_store.opened(store)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The page of the project's own records, which have duels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(git, "web_address", lambda: ADDRESS)
        found, problems = boards.read(None)
        assert not problems
        to = tmp_path_factory.mktemp("own") / "page"
        return write_page(to, found, open_store(None)), found


@pytest.mark.slow
def test_it_says_what_the_score_is_and_where_the_rules_are(own):
    path, _ = own
    text = path.read_text(encoding="utf-8")
    lead = text[text.index('<p class="lead">') : text.index('<ul class="heroes">')]
    assert "bits that it needs to encode a byte of text" in " ".join(lead.split())
    for target in (ADDRESS, f"{ADDRESS}/blob/HEAD/leaderboard/README.md", "#guide"):
        assert f'href="{target}"' in lead
    for words in ("ln&nbsp;2", "Host gate", "hardware class", "P(better)", "verify", "sample"):
        assert words in text[text.index('id="guide"') :], words
    assert 'rel="icon" href="data:image/svg+xml,' in text


@pytest.mark.slow
def test_a_record_shows_the_duel_behind_it_and_its_story(own):
    path, found = own
    text = path.read_text(encoding="utf-8")
    (board,) = (b for b in found if b.duels)
    (record,) = board.records
    hero = next(h for h in text.split('<li class="hero">') if record.id in h)
    target = re.search(rf'href="(entries/{record.id}\.html)#(duel-[0-9a-f]{{12}})"', hero)
    assert target is not None
    entry = (path.parent / target[1]).read_text(encoding="utf-8")
    assert f'id="{target[2]}"' in entry
    assert hero.count('class="dot"') == 5 and "5 pairs, p = 0.0011" in hero
    assert "Once upon a time" in hero
    assert "no duel has been won against it" in text


@pytest.mark.slow
def test_the_best_of_each_architecture_tells_a_story(own):
    path, found = own
    text = path.read_text(encoding="utf-8")
    board = max(found, key=lambda board: len({e.first.arch for e in board.entries}))
    told = text.split('<div class="stories">')[1].split("</section>")[0]
    for arch in ("lstm", "ngram", "d3pm"):
        best = next(entry for entry in board.entries if entry.first.arch == arch)
        assert best.id in told, arch


@pytest.mark.slow
def test_every_table_shows_the_id_that_commands_take(own):
    path, found = own
    text = path.read_text(encoding="utf-8")
    for board in found:
        for entry in board.entries:
            assert f"<code>{entry.id[:8]}</code>" in text
            assert all(run.id[:12] in text for run in entry.runs)


@pytest.mark.slow
def test_an_entry_shows_the_gate_of_its_host_and_round_ticks(own):
    path, found = own
    (board,) = (b for b in found if b.duels)
    text = (path.parent / "entries" / f"{board.records[0].id}.html").read_text(encoding="utf-8")
    gate = text[text.index('id="gate"') : text.index('id="story"')]
    assert gate.count("✓ passed") == 5 and "GFLOP/s before" in gate
    loss = text[text.index('id="loss"') : text.index('id="clock"')]
    ticks = re.findall(r'dy=".32em" text-anchor="end">([\d.]+)<', loss)
    assert len(ticks) >= 3 and all(float(tick) * 20 % 1 < 1e-6 for tick in ticks), ticks


def test_signs_say_why(tmp_path):
    hot = {"host.matmul_after": 20.0}
    for seed in range(3):
        add(tmp_path / "store", made(0.75 + seed / 1000, seed, hot))
    text = page_of(tmp_path / "store", tmp_path / "page")
    found = re.search(r'title="host not fit for a record: ([^"]+)">‡</abbr>', text)
    assert found is not None and "went from 96 to 20 GFLOP/s" in found[1]
    (entry,) = (tmp_path / "page" / "entries").iterdir()
    assert entry.read_text(encoding="utf-8").count("‡ not passed") == 3


def test_a_doubted_entry_is_marked_and_its_page_says_by_how_much(tmp_path):
    record = made()
    assert record.score is not None
    add(tmp_path / "store", record)
    nats = {"claimed_nats": record.score.nats, "found_nats": record.score.nats, "allowed": 1e-4}
    second = {"num_docs": 2000, "bits_per_byte": 0.8, "difference": 0.05, "adjusted": 0.05}
    second |= {"adjusted_se": 0.004, "p_value": 1e-20, "is_explained": False}
    note = verification(record.id, rescored=nats)
    note = type(note).model_validate(note.content() | {"schema": 2, "second": second})
    add_note(tmp_path / "store", note)
    assert "¶</abbr>" in page_of(tmp_path / "store", tmp_path / "page")
    (entry,) = (tmp_path / "page" / "entries").iterdir()
    text = entry.read_text(encoding="utf-8")
    assert "from number 2,001 on: 0.8000 bits per byte, Δ +0.0500" in text
    assert "It ranks nothing" in text and "✓ Confirmed" in text


def test_a_strangers_story_is_text(tmp_path):
    story = "<script>alert(1)</script>\u202e{{ 7 * 7 }}\n\n" + "word " * 400
    for seed in range(3):
        add(tmp_path / "store", made(0.75 + seed / 1000, seed, {"sample.text": story}))
    text = page_of(tmp_path / "store", tmp_path / "page")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e{{ 7 * 7 }}" in text
    assert "<script>alert" not in text and "word …" in text and text.count("word") < 100


def tracks(*archs: str, **changes) -> list[Board]:
    """Tracks of one, two, … minutes, each of these architectures, space between them."""
    found = []
    for place, names in enumerate(archs):
        for number, arch in enumerate(names.split()):
            budget_s = 60.0 * (place + 1)
            named = {"arch": arch, "config.arch": arch, "config.model.width": 64 + number}
            named |= {"budget_s": budget_s, "config.budget_s": budget_s}
            found.append(summarize(made(0.9 - number / 50, 0, named | changes)))
    return boards_of(found)


def test_an_architecture_has_one_colour_and_shape_on_all_tracks():
    found = tracks("lstm transformer", "transformer ngram", "a b c d e transformer")
    numbers = series(found)
    assert numbers["transformer"] == 0  # it has most entries
    assert len(set(numbers.values())) == len(MARKERS) == NUM_SERIES + 1
    assert series(found[::-1]) == numbers
    for board in found:
        drawn = plots.draw_plots(board, numbers)[0].svg
        used = {int(n) for n in re.findall(r"var\(--series-(\d)\)", drawn)}
        assert used == {numbers[entry.first.arch] for entry in board.entries}


def test_a_plot_that_would_tell_nothing_is_left_out():
    def titles(board: Board) -> list[str]:
        return [plot.title for plot in plots.draw_plots(board, series([board]))]

    (several,) = tracks("lstm transformer ngram")
    assert titles(several) == ["Bits per byte by architecture", "Bits per byte against speed"]
    (one,) = tracks("lstm lstm lstm")
    assert titles(one) == ["Bits per byte against speed"]
    sizes = [
        summarize(made(0.9 - n / 50, 0, {"num_params": 10**6 * (n + 1), "config.model.width": n}))
        for n in range(5)
    ]
    assert "Bits per byte against size" in titles(boards_of(sizes)[0])


def test_bounds_are_hollow_and_mathematics_in_names_is_text(tmp_path):
    add(tmp_path / "store", made(0.9, 0, BOUND))
    add(tmp_path / "store", made(0.8, 0, {"arch": "$\\frac{1}{0$", "config.arch": "$\\frac{1}{0$"}))
    text = page_of(tmp_path / "store", tmp_path / "page")
    assert 'class="shape series-1 hollow"' in text or 'class="shape series-0 hollow"' in text
    assert text.count('role="img" aria-label="Bits per byte') == 2


def test_curves_of_an_entry_have_its_colour_and_a_dash_each():
    records = [made(0.75 + seed / 1000, seed) for seed in range(3)]
    (board,) = boards_of(list(map(summarize, records)))
    curve = context(board.entries[0], records, None)["curve"]
    assert list(curve["paths"]) == ["seed 0", "seed 1", "seed 2"]
    assert all(re.match(r"M[\d.]+ -?[\d.]+", path) for path in curve["paths"].values())
