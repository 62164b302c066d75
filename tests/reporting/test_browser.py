"""The page in a real browser: headless Chromium, driven as a reader would."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from churnkit.reporting import render_report

pytestmark = pytest.mark.slow

ROWS = "#customers tbody tr:not([hidden])"


@pytest.fixture
def page(browser, as_file, report):
    """Give the browser with the page opened, wide, light and with empty logs."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    scheme(browser, "light")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(as_file(render_report(report)))
    return browser


def scheme(browser, wanted):
    """Make the system prefer light or dark."""
    feature = {"name": "prefers-color-scheme", "value": wanted}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def column(page, position):
    """Return the sort keys of the rows shown, in their order."""
    return page.execute_script(
        f"return [...document.querySelectorAll('{ROWS}')].map(r => r.cells[{position}].dataset.sort)"
    )


def click(page, selector, position=0):
    """Click an element as a pointer would."""
    page.execute_script(
        "document.querySelectorAll(arguments[0])[arguments[1]].click()", selector, position
    )


def requests(page):
    """Return the addresses that were asked for since the logs were last read."""
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    return [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]


def test_page_asks_for_nothing_and_says_no_error(page):
    """Opening the page requests the page alone, and the console stays empty."""
    click(page, "button.open")

    asked = [url for url in requests(page) if not url.startswith("data:")]

    assert asked == [page.current_url.partition("#")[0]]
    assert page.get_log("browser") == []


def test_heading_sorts_both_ways(page):
    """A heading sorts numbers downwards first, then upwards, and says so."""
    click(page, "#customers thead button", 1)
    first = [float(v) for v in column(page, 1)]
    said = page.execute_script(
        "return document.querySelectorAll('#customers thead th')[1].getAttribute('aria-sort')"
    )

    click(page, "#customers thead button", 1)
    second = [float(v) for v in column(page, 1)]

    assert said == "descending"
    assert len(first) == 25
    assert first == sorted(first, reverse=True)
    assert second == sorted(second)


def test_filters_narrow_the_rows_and_more_shows_the_rest(page):
    """Filters by band and text hold together; the button shows 25 rows more."""
    click(page, "#more")
    after_more = len(column(page, 0))

    page.execute_script(
        "const b = document.getElementById('by-band'); b.value = 'high';"
        "b.dispatchEvent(new Event('change'));"
    )
    bands = page.execute_script(
        f"return [...document.querySelectorAll('{ROWS}')].map(r => r.dataset.band)"
    )
    page.execute_script(
        "const f = document.getElementById('find'); f.value = 'C00';"
        "f.dispatchEvent(new Event('input'));"
    )

    assert after_more == 50
    assert set(bands) == {"high"}
    assert column(page, 0)
    assert all(key.startswith("c00") for key in column(page, 0))
    assert "shown" in page.execute_script("return document.getElementById('shown').textContent")


def test_customer_opens_with_reasons_and_closes_with_escape(page):
    """A customer's name opens a dialog about that customer; Escape closes it and gives focus back."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    button = page.find_elements(By.CSS_SELECTOR, "button.open")[3]
    button.send_keys(Keys.ENTER)
    dialog = page.find_element(By.ID, "customer")
    opened, text = dialog.get_attribute("open"), dialog.text
    drawings = len(dialog.find_elements(By.TAG_NAME, "svg"))

    page.switch_to.active_element.send_keys(Keys.ESCAPE)

    assert opened == "true"
    assert "c003" in text
    assert "no order for 143 days" in text
    assert drawings == 2
    assert page.execute_script("return location.hash") == ""
    assert dialog.get_attribute("open") is None
    assert page.switch_to.active_element == button


def test_waterfall_runs_from_the_average_to_the_customer(page):
    """Each bar begins where the one before it ends, the last where the customer stands."""
    click(page, "button.open", 3)

    bars = page.execute_script(
        "return [...document.querySelectorAll('#customer .push')].map(b => {"
        " const r = b.getBoundingClientRect(); return [b.className, r.left, r.right]; })"
    )
    shown = page.execute_script(
        "return [...document.querySelectorAll('#customer .reasons tbody tr')]"
        ".map(r => [r.cells[0].textContent, r.cells[2].textContent])"
    )

    kinds = [kind.removeprefix("push ") for kind, *_ in bars]
    at = (bars[0][1] + bars[0][2]) / 2
    for kind, left, right in bars[1:-1]:
        start, end = (left, right) if kind == "push up" else (right, left)
        assert start == pytest.approx(at, abs=1)
        at = end
    assert kinds[0] == kinds[-1] == "end"
    assert (bars[-1][1] + bars[-1][2]) / 2 == pytest.approx(at, abs=1)
    assert shown[0] == ["The average customer", "44 %"]
    assert shown[1][0] == "no order for 143 days (customers who stay: 31)"
    assert sum(points(text) for _, text in shown[1:-1]) == pytest.approx(
        percent(shown[-1][1]) - percent(shown[0][1]), abs=1.5
    )
    assert shown[-1][0] == "Customer c003"


def points(text):
    """Return the number in a cell of points."""
    return float(text.replace("−", "-"))


def percent(text):
    """Return the number of a percentage."""
    return float(text.removesuffix(" %"))


def test_tables_have_names_and_headings_their_order(page):
    """Every table has a caption and scoped headings; no heading skips a level, dialog included."""
    click(page, "button.open", 3)

    nameless, unscoped, levels = page.execute_script(
        "return [[...document.querySelectorAll('table')].filter(t => !t.caption).length,"
        " document.querySelectorAll('th:not([scope])').length,"
        " [...document.querySelectorAll('h1, h2, h3, h4')].map(h => Number(h.tagName[1]))]"
    )

    assert nameless == 0
    assert unscoped == 1  # the axis of the waterfall, hidden from screen readers
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_timeline_shows_orders_and_what_else_happened(page):
    """Orders are stems, every other kind has a lane of its own, and a reader hears of both."""
    click(page, "button.open", 3)

    lanes, stems, says = page.execute_script(
        "const s = [...document.querySelectorAll('#customer svg')][0];"
        "return [s.querySelectorAll('.dot.s3').length, s.querySelectorAll('.stem').length,"
        " s.getAttribute('aria-label')]"
    )

    assert lanes == 3
    assert stems == 2
    assert says == (
        "2 orders from 2011-01-05 to 2011-06-05; ticket on 1 day, last 2011-03-01;"
        " email open on 2 days, last 2011-04-01"
    )


def test_address_opens_a_customer_and_follows_the_table(page):
    """An address with a customer opens it; the arrows go to the neighbours in the table's order."""

    def name():
        return page.execute_script("return document.getElementById('customer-name').textContent")

    plain = page.current_url
    page.get(f"{plain}#customer=c007")
    opened = name()
    click(page, "#next")
    after, address = name(), page.execute_script("return location.hash")
    click(page, "#previous")
    click(page, "#previous")

    assert opened.startswith("Customer c007")
    assert after.startswith("Customer c008")
    assert address == "#customer=c008"
    assert name().startswith("Customer c006")


def test_open_customer_prints_alone(page):
    """On paper, an open customer stands whole and without the rest of the page."""
    click(page, "button.open", 3)

    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    main, cut_off = page.execute_script(
        "return [getComputedStyle(document.getElementById('main')).display,"
        " document.getElementById('customer').scrollHeight"
        " - document.getElementById('customer').clientHeight]"
    )
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})

    assert main == "none"
    assert cut_off == 0


def test_markup_in_an_id_stays_text(browser, as_file, report, customer):
    """An id that holds a script is shown letter by letter, in the table and in the dialog."""
    bad = "<script>window.broken = 1</script><img src=x onerror='window.broken = 2'>"
    hostile = replace(report, customers=[customer(0, customer_id=bad)])
    browser.get(as_file(render_report(hostile)))

    click(browser, "button.open")

    assert browser.execute_script("return window.broken") is None
    assert bad in browser.execute_script("return document.getElementById('customer').textContent")
    assert bad in browser.execute_script("return document.getElementById('customers').textContent")


def test_dark_follows_the_system_and_the_button(page):
    """The background turns dark with the system's preference, and back with the button."""

    def brightness():
        text = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(int(v) for v in text.removeprefix("rgb(").removesuffix(")").split(","))

    light = brightness()
    scheme(page, "dark")
    dark = brightness()
    click(page, "#theme")

    assert light > 600
    assert dark < 150
    assert brightness() == light


@pytest.mark.parametrize("width", [390, 768])
def test_narrow_screen_does_not_scroll_sideways(page, width):
    """At the width of a phone nothing is wider than the screen, not even an open customer."""
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": True},
    )
    click(page, "button.open")

    page_width, inside, right = page.execute_script(
        "const d = document.getElementById('customer');"
        "return [document.documentElement.scrollWidth, d.scrollWidth - d.clientWidth,"
        " d.getBoundingClientRect().right]"
    )

    assert page_width == width
    assert inside == 0
    assert right <= width
