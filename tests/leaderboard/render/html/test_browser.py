"""The page in a browser: sorting, filtering, curves, links, a phone, the dark, a keyboard."""

import re
import shutil

import pytest
from helpers import page_store

from leaderboard.render.html.page import write_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync", "--no-first-run"]


@pytest.fixture(scope="module")
def browser():
    """A Chromium that is there; none is downloaded."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)}")
    with (
        playwright.sync_playwright() as driver,
        driver.chromium.launch(executable_path=found, args=ARGUMENTS) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browsed")
    page_store.fill(folder / "store", 16)
    return write_page(folder / "page", *page_store.opened(folder / "store"))


@pytest.fixture
def visit(browser, index):
    """`visit("#arch=lstm")` opens the index; whatever the console says fails the test."""
    said, pages = [], []

    def request(sent):
        return sent.url.startswith(("file:", "data:")) or said.append(sent.url)

    def visit(fragment="", **options):
        page = browser.new_page(viewport={"width": 1280, "height": 800}, **options)
        page.set_default_timeout(10_000)
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.on("request", request)
        page.goto(index.as_uri() + fragment)
        return page

    yield visit
    for page in pages:
        page.close()
    assert said == []


def column(page, key):
    """The shown values of a column of the first table, as sorting sees them."""
    return page.evaluate(
        """key => {
            const table = document.querySelector("table.entries");
            const at = [...table.tHead.rows[0].cells].findIndex(th => th.dataset.key === key);
            return [...table.tBodies[0].rows].filter(row => !row.hidden)
                .map(row => row.cells[at])
                .map(cell => cell.dataset.v ?? cell.querySelector(".with-shape") ?? cell)
                .map(found => (found.textContent ?? found).trim());
        }""",
        key,
    )


def header(page, key):
    return page.locator(f"th[data-key={key}] >> nth=0")


def test_it_sorts_numbers_by_value_both_ways(visit):
    page = visit()
    for key in ("tokens", "bits"):
        for direction in ("ascending", "descending"):
            header(page, key).locator("button").click()
            assert header(page, key).get_attribute("aria-sort") == direction
            values = [float(value) for value in column(page, key)]
            assert len(values) > 10
            assert values == sorted(values, reverse=direction == "descending")
    assert page.locator("table.entries >> nth=0 >> [aria-sort]").count() == 1


def test_it_is_used_by_keyboard(visit):
    page = visit()
    page.keyboard.press("Tab")  # the first stop skips to the content
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    button = header(page, "arch").locator("button")
    button.focus()
    page.keyboard.press("Enter")
    ascending = column(page, "arch")
    page.keyboard.press("Space")
    assert column(page, "arch") == sorted(ascending, key=ascending.index, reverse=True)
    assert len(set(ascending)) == 4 and ascending != column(page, "arch")
    assert button.evaluate("element => element === document.activeElement")


def test_filters_meet_in_the_address_and_come_back_from_it(visit):
    page = visit()
    page.select_option("select[name=arch]", "lstm")
    page.fill("input[name=q]", "author")
    assert set(column(page, "arch")) == {"lstm"}
    header(page, "params").locator("button").click()
    shown, address = column(page, "params"), page.evaluate("location.hash")
    again = visit(address)
    assert column(again, "params") == shown
    assert again.input_value("input[name=q]") == "author"
    again.fill("input[name=q]", "no such entry")
    assert again.locator(".none >> visible=true").count() == 2
    again.click("button[type=reset]")
    again.wait_for_function("!location.hash.includes('arch')")
    assert len(column(again, "arch")) > len(shown)
    odd = visit("#track=%3Cb%3E&sort=-__proto__&arch=nothing&q=%00%3Cscript%3E&=&&%E0%A4%A")
    assert odd.locator("table.entries").count() == 2


def test_a_track_stands_alone(visit):
    page = visit()
    first = page.locator("section.track >> nth=0").get_attribute("data-track")
    page.select_option("select[name=track]", first)
    assert page.locator("section.track >> visible=true").count() == 1
    page.locator(".hero-track >> nth=1").click()  # leads to the other one, which comes out
    page.wait_for_function("document.querySelectorAll('section.track[hidden]').length === 0")


def test_a_tick_draws_a_curve(visit):
    page = visit()
    lines = page.locator(".curves >> nth=0 >> .curves-plot path.line")
    before = lines.count()
    assert before >= 3
    box = page.locator("table.entries >> nth=0 >> input:not(:checked) >> nth=0")
    row = box.locator("xpath=ancestor::tr")
    name = row.locator(".name a").inner_text()
    row.locator("input").check()
    assert lines.count() == before + 1
    assert name in page.locator(".curves-legend >> nth=0").inner_text()
    assert all(len(path.get_attribute("d")) > 100 for path in lines.all())
    page.locator(".curves-plot svg >> nth=0").hover()
    assert re.search(r"\d\.\d{3}", page.locator(".curves-legend output >> nth=0").inner_text())


def test_to_an_entry_and_back(visit):
    page = visit("#arch=lstm")
    link = page.locator("td + th.name a >> visible=true >> nth=0")
    name = link.inner_text()
    link.click()
    page.wait_for_url("**/entries/*.html")
    assert page.locator("h1").inner_text() == name
    page.go_back()
    page.wait_for_selector("#filters:not([hidden])")
    assert page.url.endswith("index.html#arch=lstm") and set(column(page, "arch")) == {"lstm"}


def test_no_page_scrolls_sideways(visit, index):
    page = visit()
    for path in (index, *sorted((index.parent / "entries").iterdir())[:6]):
        page.goto(path.as_uri())
        for width in (360, 768, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (path.name, width)


def test_every_column_fits_a_laptop(visit):
    page = visit()
    for table in page.locator(".scroll:has(.entries)").all():
        assert table.evaluate("element => element.scrollWidth <= element.clientWidth")


def test_an_entry_is_found_by_its_id_and_by_those_of_its_records(visit):
    page = visit()
    row = page.locator("table.entries >> nth=0 >> tbody tr >> nth=3")
    own, runs = row.get_attribute("data-id"), row.get_attribute("data-runs").split()
    for word in (own[:8], runs[-1], runs[0] + "0" * 52):
        page.fill("input[name=q]", word)
        assert page.locator("table.entries tbody tr >> visible=true").count() == 1
        assert row.is_visible()


def test_curves_have_the_colour_and_the_marker_of_their_architecture(visit):
    page = visit()
    plot = page.locator(".curves-plot >> nth=0")
    for box in page.locator("table.entries >> nth=0 >> .pick input").all():
        box.check()
    rows = page.locator("table.entries >> nth=0 >> tbody tr:has(input:checked)")
    wanted = [row.get_attribute("data-series") for row in rows.all()]
    styles = [path.get_attribute("class") for path in plot.locator("path.line").all()]
    assert re.findall(r"series-(\d)", " ".join(filter(None, styles))) == wanted
    assert len(set(styles)) == len(styles)  # those of one architecture differ in their dashes
    for use in plot.locator("use.shape").all():
        number = use.get_attribute("href").removeprefix("#shape-")
        assert f"series-{number}" in use.get_attribute("class")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(visit, scheme):
    page = visit(color_scheme=scheme)
    names = ["ink", "muted", "link", "good", "bad", "accent", *(f"series-{n}" for n in range(7))]
    luminances = page.evaluate(
        """names => names.map(name => {
            const context = document.createElement("canvas").getContext("2d");
            const style = getComputedStyle(document.documentElement);
            context.fillStyle = style.getPropertyValue("--" + name);
            context.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)
                .map(v => v / 255)
                .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
            return .2126 * r + .7152 * g + .0722 * b;
        })""",
        ["paper", *names],
    )
    paper = luminances.pop(0)
    assert (paper < 0.2) == (scheme == "dark")
    for name, light in zip(names, luminances, strict=True):
        contrast = (max(light, paper) + 0.05) / (min(light, paper) + 0.05)
        assert contrast >= (3 if name.startswith("series") else 4.5), name


def test_without_scripts_the_table_is_there(visit):
    page = visit(java_script_enabled=False)
    assert page.locator("table.entries >> nth=0 >> tbody tr").count() > 10
    assert page.locator("#filters").is_hidden()
    assert page.locator(".curves >> nth=0").is_hidden()
    assert page.locator(".plot svg >> nth=0").is_visible()
