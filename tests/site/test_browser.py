"""The built site in a real browser: charts draw, filters live in the address, nothing leaves this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.site.text import slug
from tests.site.chromium import PROGRAM, Browser, browser, serve
from tests.site.conftest import Built, build, site_records

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine"),
]

_HIDDEN = "getComputedStyle(e).display === 'none'"


@pytest.fixture(scope="module")
def full(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The small site with its notebook executed."""
    out = tmp_path_factory.mktemp("full") / "site"
    staging = tmp_path_factory.mktemp("full-docs") / "docs"
    records = site_records()
    return Built(out, records, build(records, out, notebooks=True, staging=staging))


@pytest.fixture(scope="module")
def base(full: Built) -> Iterator[str]:
    with serve(full.out) as address:
        yield address


@pytest.fixture
def tab(base: str) -> Iterator[Browser]:
    with browser() as b:
        b.size(1440)
        b.dark(False)
        yield b
        foreign = [u for u in b.requests if not u.startswith((base, "data:", "about:", "blob:"))]
        assert foreign == []
        assert b.complaints == []


def _pages(full: Built) -> list[str]:
    run = f"runs/{slug(full.records[0].id)}/"
    hostile = f"runs/{slug(full.records[-1].id)}/"
    named = [
        "boards/nucleo-l4r5zi/",
        "cores/cortex-m7/",
        "models/kws/",
        "method/rules/",
        "method/causes/",
        "method/record/",
        "compare/",
        "compare/kws/",
        "validation/",
    ]
    return ["", run, hostile, "runs/", *named, "downloads/", "notebooks/explore/", "about/changelog/", "command-line/"]


def _rows(b: Browser) -> list[str]:
    rows: list[str] = b.js(
        "[...document.querySelectorAll('.wc-ranking tbody tr')].filter((r) => !r.hidden)"
        ".map((r) => [...r.cells].slice(0, 2).map((c) => c.textContent).join(' '))"
    )
    return rows


def test_every_chart_draws_on_every_page(tab: Browser, base: str, full: Built) -> None:
    for page in _pages(full):
        tab.open(base + page)
        tab.draw_everything()
        marks = tab.js(
            "[...document.querySelectorAll('.wc-live')].map((e) => e.querySelectorAll('svg path, svg rect').length)"
        )
        assert all(n > 3 for n in marks), page
    assert tab.js("typeof window.vegaEmbed") == "undefined"


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_overflows_a_phone(tab: Browser, base: str, full: Built, dark: bool) -> None:
    tab.dark(dark)
    tab.size(375, 800, phone=True)
    for page in _pages(full):
        tab.open(base + page)
        tab.js("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        tab.draw_everything()
        assert tab.js("document.documentElement.scrollWidth") == 375, page


def test_filters_live_in_the_address(tab: Browser, base: str) -> None:
    tab.open(base)
    tab.draw_everything()
    everything = _rows(tab)
    click = "document.querySelector('.wc-filters [name={}][value=\"{}\"]').click()"
    tab.js(click.format("kernels", "reference"))
    assert tab.js("location.search") == "?kernels=reference"
    filtered = _rows(tab)
    assert 0 < len(filtered) < len(everything)
    tab.until(f"document.querySelector('.wc-chart').dataset.rows === '{len(filtered)}'")
    tab.js(click.format("model", "ic"))
    assert tab.js("location.search") == "?model=ic&kernels=reference"
    assert _rows(tab) == []
    assert "No run matches" in tab.js("document.querySelector('.wc-status').textContent")
    tab.js("history.back()")
    tab.until("location.search === '?kernels=reference'")
    assert _rows(tab) == filtered
    tab.js("history.back()")
    tab.until("location.search === ''")
    assert _rows(tab) == everything
    # the address alone restores the view
    tab.open(base + "?model=ic&sort=board-down")
    assert _rows(tab) == ["1 nucleo-l4r5zi"]
    assert tab.js("document.querySelector('[name=model][value=ic]').checked")
    tab.open(base + "?model=none-such&sort=nonsense&kernels=")
    assert _rows(tab) == everything


def test_search_finds_a_board_and_a_wildcard_in_a_source_breaks_nothing(tab: Browser, base: str) -> None:
    tab.open(base)
    tab.js("document.querySelector('.md-search__input').focus()")
    tab.until("document.querySelector('.md-search-result__meta').textContent.includes('Type to start')")
    # the theme listens to keys, and complains of a query that ends at a hyphen: only the last letter is typed
    tab.call("Input.insertText", text="nucleo-l4r5z")
    tab.call("Input.dispatchKeyEvent", type="keyDown", text="i", key="i")
    tab.call("Input.dispatchKeyEvent", type="keyUp", key="i")
    tab.until("document.querySelector('.md-search-result__list a[href*=\"boards/nucleo-l4r5zi\"]') !== null")


def test_columns_sort(tab: Browser, base: str) -> None:
    tab.open(base + "runs/")
    values = "[...document.querySelectorAll('.wc-table tbody tr')].map((r) => Number(r.cells[3].dataset.v))"
    tab.js("document.querySelectorAll('.wc-sort')[3].click()")
    up = tab.js(values)
    assert up == sorted(up)
    tab.js("document.querySelectorAll('.wc-sort')[3].click()")
    assert tab.js(values) == sorted(up, reverse=True)
    assert tab.js("document.querySelectorAll('th')[3].getAttribute('aria-sort')") == "descending"


def test_charts_follow_the_colour_scheme(tab: Browser, base: str, full: Built) -> None:
    page = f"{base}runs/{slug(full.records[0].id)}/"
    tab.open(page)
    tab.draw_everything()
    label = "document.querySelector('.wc-live text').getAttribute('fill')"
    light = tab.js(label)
    assert tab.js("document.body.dataset.mdColorScheme") == "default"
    tab.js("document.querySelector('label[for=__palette_1], [data-md-component=palette] label:not([hidden])').click()")
    tab.until("document.body.dataset.mdColorScheme === 'slate'")
    tab.until(f"{label} !== '{light}'")
    tab.dark(True)
    tab.js("localStorage.clear()")
    tab.open(page)
    assert tab.js("document.body.dataset.mdColorScheme") == "slate"


def test_without_scripts_charts_and_table_are_there(tab: Browser, base: str, full: Built) -> None:
    tab.scripts(False)
    tab.open(base)
    tab.scripts(True)
    shown = tab.js(f"[...document.querySelectorAll('.wc-ranking tbody tr')].filter((e) => !({_HIDDEN})).length")
    assert shown == len(full.records)
    assert tab.js(f"[...document.querySelectorAll('.wc-chart img')].filter((e) => !({_HIDDEN})).length") == 1
    assert tab.js("getComputedStyle(document.querySelector('.wc-filters')).display") == "none"


def test_a_link_to_a_layer_opens_it(tab: Browser, base: str, full: Built) -> None:
    tab.open(f"{base}runs/{slug(full.records[0].id)}/#layer-3")
    tab.until("document.getElementById('layer-3').open")
    assert not tab.js("document.getElementById('layer-2').open")


def test_notebook_was_executed(full: Built) -> None:
    page = full.out / "notebooks/explore/index.html"
    text = page.read_text("utf-8")
    assert f"{len(full.records)} runs" in text
    assert text.count("<svg") > 1
    assert "cdn" not in text.lower()
    assert page.stat().st_size < 1_000_000


def test_a_link_to_a_hot_block_opens_all_it_lies_in(tab: Browser, base: str, full: Built) -> None:
    tab.open(f"{base}runs/{slug(full.records[0].id)}/#block-00000100")
    tab.until("document.getElementById('block-00000100').open")
    assert tab.js("document.getElementById('block-00000100').parentElement.closest('details').open")
    assert tab.js("document.querySelectorAll('details.wc-layer[open]').length") == 1


def test_the_flame_graph_follows_the_colour_scheme(tab: Browser, base: str, full: Built) -> None:
    page = f"{base}runs/{slug(full.records[0].id)}/"
    seen = []
    for dark in (False, True):
        tab.dark(dark)
        tab.open(page)
        tab.js("localStorage.clear()")
        tab.open(page)
        seen.append(tab.js("getComputedStyle(document.querySelector('.wc-flame svg > text')).fill"))
    assert seen[0] != seen[1]
