"""The page as files: links, escaping, reproducible bytes, files of others left alone."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers import page_store
from helpers.made_records import add, made, older, resealed, snapshot

from leaderboard import index
from leaderboard.render.html import entries, plots
from leaderboard.render.html.entry import MAX_POINTS, thinned
from leaderboard.render.html.folder import MANIFEST
from leaderboard.render.html.page import write_page
from leaderboard.store import Store
from speedrun.records.schema import parse
from speedrun.records.sections import ON_CLOCK
from speedrun.system import git

VOID = {"meta", "link", "input", "br", "img", "hr"}
HOME = git.web_address()
LINKS = ("src", "href", "action", "data", "xlink:href", "poster", "srcset", "formaction")


class Page(HTMLParser):
    """Elements of a page with their attributes, checked to close, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.open = path, []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self.open, f"{path.name}: {self.open} stay open"

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        if tag in ("li", "p", "option") and self.open[-1] != tag:
            return
        assert self.open and self.open[-1] == tag, f"{self.path.name}: </{tag}> in {self.open[-4:]}"
        self.open.pop()

    def handle_data(self, data):
        self.text += data

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def build(store: Path, to: Path) -> Path:
    return write_page(to, *page_store.opened(store))


def files(folder: Path) -> dict[str, bytes | str]:
    return {name: content for name, content in snapshot(folder).items() if content != "folder"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """Folder of a page about entries with hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    page_store.fill(folder / "store", 14)
    build(folder / "store", folder / "page")
    return folder / "page"


@pytest.fixture(scope="module")
def found(hostile) -> list[Page]:
    return [Page(path) for path in sorted(hostile.rglob("*.html"))]


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    """Store of three entries."""
    store = tmp_path_factory.mktemp("few") / "store"
    page_store.fill(store, 3)
    return store


@pytest.mark.slow
def test_nothing_comes_from_outside_and_every_link_leads_somewhere(found):
    assert len(found) == 15
    for one in found:
        for tag, attributes in one.elements:
            for name in LINKS:
                target = attributes.get(name, "#")
                if target.startswith(("data:image/svg+xml,%3Csvg", "#")):
                    continue
                if tag == "a" and HOME and target.startswith(HOME):
                    continue  # to the project: followed, never loaded
                assert not re.match(r"[a-z][a-z0-9+.-]*:|//|/", target, re.I), (tag, target)
                assert (one.path.parent / target.partition("#")[0]).is_file(), (tag, target)
    for name in ("style.css", "page.js"):
        text = (found[0].path.parent.parent / name).read_text(encoding="utf-8")
        assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|import\(", text)
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


@pytest.mark.slow
def test_hostile_names_are_text_and_nothing_else(found):
    for one in found:
        assert not one.of("img") and all("class" in i for i in one.of("i"))
        assert {s.get("src") for s in one.of("script")} <= {"curves.js", "page.js"}
        for _, attributes in one.elements:
            assert not [name for name in attributes if name.startswith("on")], attributes
    index = next(one for one in found if one.path.name == "index.html")
    for name in page_store.HOSTILE:
        assert name in index.text, name


@pytest.mark.slow
def test_ids_are_unique_in_each_page(found):
    for one in found:
        ids = [attributes["id"] for _, attributes in one.elements if "id" in attributes]
        assert len(ids) == len(set(ids)), one.path.name
        drawn = one.path.read_text(encoding="utf-8")
        uses = re.findall(r"url\(#([^)]+)\)", drawn) + re.findall(r'<use href="#([^"]+)"', drawn)
        assert set(uses) <= set(ids)


@pytest.mark.slow
def test_points_have_tooltips_and_links(hostile):
    text = (hostile / "index.html").read_text(encoding="utf-8")
    for name in ("&lt;script&gt;alert(1)&lt;/script&gt;", "$\\frac{1}{0$ \\mathbf{x}"):
        title = f"<title>{re.escape(name)}†: "  # from outside
        assert re.search(rf'<a tabindex="-1" href="entries/\w+\.html">{title}', text)


def test_control_characters_are_shown_as_escapes(tmp_path):
    arch, deep = "a\u202eb\x1b[31m", {"a": {"b": {"c": {"d": {"e": {"f": [1, {"g": None}]}}}}}}
    changes = {"arch": arch, "config.arch": arch, "sample.text": "one\ntwo\u200b\u202e<b>"}
    changes |= {"config.recipe": 3, "config.extra": deep, "config.long": "x" * 5000, "config.": ""}
    add(tmp_path / "store", made(changes=changes))
    build(tmp_path / "store", tmp_path / "page")
    for path in (tmp_path / "page").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search("[\u202e\u200b\x1b]", text)
        assert "a\\u202eb\\x1b[31m" in text
    entry = Page(next((tmp_path / "page" / "entries").iterdir())).text
    assert "one\ntwo\\u200b\\u202e<b>" in entry and "No command is available" in entry
    assert '{"f": [1, {"g": null}]}' in entry and "x" * 300 + "…" in entry


@pytest.mark.slow
def test_the_same_records_make_the_same_bytes(hostile, tmp_path):
    build(hostile.parent / "store", tmp_path / "again")
    assert files(tmp_path / "again") == files(hostile)


@pytest.mark.slow
def test_a_second_build_removes_stale_pages_and_touches_no_other_file(few, tmp_path):
    store, to = shutil.copytree(few, tmp_path / "store"), tmp_path / "page"
    mine = (to / "CNAME", to / "entries" / "mine.html", tmp_path / "precious")
    build(store, to)
    for path in mine:
        path.write_text("mine")
    manifest = to / MANIFEST
    manifest.write_text(json.dumps([*json.loads(manifest.read_text()), "../precious", 3]))
    before = {path.name for path in (to / "entries").iterdir()}
    gone = [run.id for run in index.read(Store(str(store)), None).runs if run.arch == "lstm"]
    for path in [path for path in store.iterdir() if path.name[:64] in gone]:
        path.unlink()
    build(store, to)
    after = {path.name for path in (to / "entries").iterdir()}
    linked = set(re.findall(r"entries/([0-9a-f]{12}\.html)", (to / "index.html").read_text()))
    assert after == linked | {"mine.html"} and after < before
    assert all(path.read_text() == "mine" for path in mine)
    (to / MANIFEST).unlink()  # now nothing says who wrote it
    before_third = files(to)
    with pytest.raises(ValueError, match="was not written by this command"):
        build(store, to)
    assert files(to) == before_third


@pytest.mark.slow
def test_a_build_that_fails_leaves_the_old_page_whole(few, tmp_path):
    store, to = shutil.copytree(few, tmp_path / "store"), tmp_path / "page"
    build(store, to)
    before = files(to)
    boards, read = page_store.opened(store)
    (store / f"{boards[0].entries[-1].first.id}.json").unlink()  # deleted meanwhile
    with pytest.raises(LookupError):
        write_page(to, boards, read)
    assert files(to) == before


@pytest.mark.slow
def test_pages_written_by_many_processes_are_the_same(few, tmp_path, monkeypatch):
    alone = files(build(few, tmp_path / "alone").parent)
    monkeypatch.setattr(entries, "_PARALLEL_FROM", 1)
    monkeypatch.setattr(entries.os, "cpu_count", lambda: 2)
    assert files(build(few, tmp_path / "together").parent) == alone
    assert "<svg viewBox" in str(alone["index.html"]), "the plots are those of other processes"


def test_no_records_make_a_page_that_says_so(tmp_path):
    assert "no records yet" in Page(write_page(tmp_path / "page", [], Store(str(tmp_path)))).text


def test_curves_are_thinned_to_finite_means():
    curve = [(k / 1000, 5.0 - k / 500 if k != 500 else None) for k in range(1000)]
    thin = thinned([curve, curve])
    assert len(thin) == MAX_POINTS and thin[0] == (0.008, 4.984)
    assert [nats for _, nats in thin].count(None) == 1
    assert thinned([[(0.5, 1.0)]]) == thinned([[]]) == []
    vast = thinned([[(0.1, 1e308), (1e308, 1e308), (-1e308, 2.0)]])
    assert json.dumps(vast, allow_nan=False)


@pytest.mark.parametrize(
    ("fewer", "expected"), [(True, [(1.0, 3.0), (2.0, 1.0)]), (False, [(2.0, 1.0), (4.0, 2.0)])]
)
def test_the_frontier_holds_what_nothing_beats(fewer, expected):
    points = [(1.0, 3.0), (2.0, 1.0), (2.0, 2.5), (4.0, 2.0), (3.0, 3.0)]
    assert plots.frontier(points, fewer=fewer) == expected


def test_an_entry_shows_its_energy_or_that_there_is_none(tmp_path):
    unknown = dict.fromkeys(made().content()["energy"])
    known = {"energy.temperature_max_c": 80.0, "energy.throttled_share": 0.5}
    stores = {
        "known": [made(), made(0.75, 1, known | {"energy.source": "rapl"})],
        "heat": [made(0.7, 0, {f"energy.{name}": None for name in unknown} | known)],
        "some": [made(), made(0.75, 1, {f"energy.{name}": None for name in unknown})],
        "old": [parse(resealed(older(made().content(), 4)).encode(), "there")],
    }
    shown = {}
    for name, records in stores.items():
        for record in records:
            add(tmp_path / name, record)
        build(tmp_path / name, tmp_path / f"page {name}")
        page = Page(next((tmp_path / f"page {name}" / "entries").iterdir()))
        shown[name] = " ".join(page.text.split())
    heat = "at most 80 °C, slowed for heat: 50.0% of it"
    assert f"energy7,500 J 25.0 W by RAPL, {heat}" in shown["known"]
    assert f"energynot available there {heat}" in shown["heat"]
    assert "energynot measured alike in all runs at most 71 °C" in shown["some"]
    assert "energy" not in shown["old"]


def test_bars_have_one_scale(tmp_path):
    for record in (made(), made(0.75, 1, {"clock.evaluate_s": 600.0})):
        add(tmp_path / "store", record)
    build(tmp_path / "store", tmp_path / "page")
    entry = Page(next((tmp_path / "page" / "entries").iterdir()))
    parts = [(i["class"], float(i["style"][7:-1])) for i in entry.of("i") if "style" in i]
    assert len(parts) == 18  # nine accounts of each run, one is empty
    on = sum(width for name, width in parts[:9] if name in ON_CLOCK)
    assert on == pytest.approx(100 * 300 / 613.2, abs=0.01)
