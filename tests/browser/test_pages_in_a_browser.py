"""What only a browser shows: the security policy, the script console, the width of a phone, the live stream."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, Page, expect

from evil2root.domain.kernel.record import Outcome
from evil2root.domain.risk.breaker import BreakerState
from evil2root.engine.access import Role
from tests.browser.conftest import Site, sign_in
from tests.fakes.desk import decision_of
from tests.web.pages import PAGES

pytestmark = pytest.mark.browser

LOOKS = (
    (1440, 900, "dark"),
    (390, 844, "light"),
    *(
        pytest.param(*size, theme, marks=pytest.mark.long)
        for *size, theme in ((1440, 900, "light"), (390, 844, "dark"), (320, 700, "dark"), (320, 700, "light"))
    ),
)
"""Sizes and themes; those that are only together what two others are alone are left to the long proofs."""
VIOLATIONS = (
    """addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.violatedDirective, e.blockedURI))"""
)


@asynccontextmanager
async def watched(
    browser: Browser, site: Site, *, width: int, height: int, theme: str = "dark"
) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page, and a list that fills with everything that went wrong in it."""
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )  # fmt: skip
    await context.add_init_script(VIOLATIONS)
    page = await context.new_page()
    wrong: list[str] = []
    page.on("console", lambda m: wrong.append(f"{m.type}: {m.text}") if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda e: wrong.append(f"thrown: {e}"))
    page.on(
        "request", lambda r: None if r.url.startswith((site.base, "data:")) else wrong.append(f"elsewhere: {r.url}")
    )
    page.on("response", lambda r: wrong.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    yield page, wrong
    await context.close()


async def ready(page: Page) -> None:
    """Wait until every chart of the page is drawn. (Waiting by a function would break the security policy.)"""
    await page.locator("html[data-ready]").wait_for(state="attached")


def all_paths(site: Site) -> list[str]:
    outcomes = (Outcome.ORDERED, Outcome.EXIT_ORDERED, Outcome.BELOW_THRESHOLD)
    found = [f"/decisions/{decision_of(site.desk, outcome).id}" for outcome in outcomes]
    return [*PAGES, *found, "/positions/MSFT/close", "/positions/MSFT/guards"]


@pytest.mark.parametrize(("width", "height", "theme"), LOOKS)
async def test_every_page_runs_clean_and_never_scrolls_sideways(
    browser: Browser, site: Site, width: int, height: int, theme: str
) -> None:
    async with watched(browser, site, width=width, height=height, theme=theme) as (page, wrong):
        await sign_in(page, site)
        for path in all_paths(site):
            await page.goto(site.base + path)
            await ready(page)
            sideways = await page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert sideways <= 0, f"{path} is {sideways} px too wide at {width}"
            assert await page.evaluate("getComputedStyle(document.documentElement).colorScheme") is not None
        assert wrong == []


async def test_charts_are_drawn_and_redrawn_in_the_other_theme(browser: Browser, site: Site) -> None:
    async with watched(browser, site, width=1440, height=900) as (page, wrong):
        await sign_in(page, site)
        for path in ("/", "/symbols/MSFT", f"/decisions/{decision_of(site.desk, Outcome.ORDERED).id}"):
            await page.goto(site.base + path)
            await expect(page.locator("[data-chart] canvas").first).to_be_visible()
            await page.click(".sidebar [data-theme-toggle]")
            await expect(page.locator("[data-chart] canvas").first).to_be_visible()
            assert await page.locator(".chart-problem").count() == 0
        assert wrong == []


async def test_a_chart_is_walked_by_keys_and_its_layers_are_remembered(browser: Browser, site: Site) -> None:
    async with watched(browser, site, width=1440, height=900) as (page, wrong):
        await sign_in(page, site)
        await page.goto(f"{site.base}/symbols/MSFT")
        await ready(page)
        before = await page.text_content("[data-readout]")
        await page.focus(".chart")
        await page.keyboard.press("ArrowLeft")
        assert await page.text_content("[data-readout]") != before
        await page.click('[data-layer="rsi"]')
        await page.reload()
        await ready(page)
        await expect(page.locator('[data-layer="rsi"]')).to_have_attribute("aria-pressed", "false")
        await expect(page.locator('[data-layer="macd"]')).to_have_attribute("aria-pressed", "true")
        await page.click("[data-toggle=bars-table]")
        await expect(page.locator("#bars-table tbody tr").first).to_be_visible()
        assert wrong == []


async def test_a_halt_by_keyboard_and_its_end_work_from_first_to_last(browser: Browser, own_site: Site) -> None:
    async with watched(browser, own_site, width=1440, height=900) as (page, wrong):
        await sign_in(page, own_site)
        await page.keyboard.press("Shift+H")
        await expect(page.locator("dialog#halt")).to_be_visible()
        await expect(page.locator("dialog#halt .button.danger")).to_have_text("Pause entries")
        await page.check('dialog#halt [value="flatten"]')
        await expect(page.locator("dialog#halt .button.danger")).to_have_text("Close everything")
        await page.check('dialog#halt [value="pause"]')
        await page.fill("dialog#halt [name=reason]", "export ruling")
        await page.click("dialog#halt .button.danger")
        await expect(page.locator(".banner.danger")).to_contain_text("export ruling")
        assert own_site.desk.state.carry.breaker.state is BreakerState.HALTED
        await page.wait_for_load_state()  # a link clicked before the script runs is followed, to the form's own page
        await page.click(".banner.danger a.button")
        await page.fill("dialog#sheet [name=reason]", "it is over")
        await page.click("dialog#sheet .button.primary")
        await expect(page.locator(".banner.notice")).to_contain_text("Entries are allowed again.")
        assert wrong == []


async def test_a_position_is_closed_in_a_dialog(browser: Browser, own_site: Site) -> None:
    async with watched(browser, own_site, width=390, height=844) as (page, wrong):
        await sign_in(page, own_site)
        await page.goto(f"{own_site.base}/positions")
        await page.click('a[href="/positions/MSFT/close"]')
        await expect(page.locator("dialog#sheet")).to_be_visible()
        await page.check('dialog#sheet [value="half"]')
        button = page.locator("dialog#sheet .button.danger")
        await expect(button).to_have_text(re.compile(r"^Close \d+$"))
        half = (await button.inner_text()).removeprefix("Close ")
        await page.click("dialog#sheet .button.danger")
        await expect(page.locator(".banner.notice")).to_contain_text(f"Closing {half} MSFT at the next open.")
        await expect(page.locator("text=Closing").first).to_be_visible()
        assert wrong == []


async def test_forms_work_without_any_script(browser: Browser, own_site: Site) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await sign_in(page, own_site)
    await page.click("a.halt")
    await page.check('[value="pause"]')
    await page.click("button.danger")
    await expect(page.locator(".banner.danger")).to_contain_text("Entries are halted")
    await context.close()


async def test_a_viewer_has_no_button_that_acts(browser: Browser, site: Site) -> None:
    async with watched(browser, site, width=1440, height=900) as (page, wrong):
        await sign_in(page, site, Role.VIEWER)
        for path in ("/", "/positions", "/symbols/MSFT"):
            await page.goto(site.base + path)
            assert await page.locator("a[href='/halt'], a[href$='/close'], a[href$='/guards']").count() == 0
        assert wrong == []


async def test_a_change_reaches_an_open_page_without_reloading_it(browser: Browser, own_site: Site) -> None:
    async with watched(browser, own_site, width=1440, height=900) as (page, wrong):
        await sign_in(page, own_site)
        await ready(page)
        await page.evaluate("window.stayed = true")
        shown = page.locator("#health li b").first
        await expect(shown).to_have_text("92%")
        feed = own_site.desk.status().feed
        own_site.desk.status_changes["feed"] = feed.__class__(
            source=feed.source, origin=feed.origin, last_bar_at=feed.last_bar_at, finished=True, speed=1.0,
            shown=feed.shown, total=feed.total,
        )  # fmt: skip
        _change(own_site, "health", "equity")
        await expect(shown).to_have_text("finished", timeout=20_000)  # two cores may be busy elsewhere
        await expect(page.locator("#session")).to_contain_text("finished")
        assert await page.evaluate("window.stayed") is True
        assert await page.locator("#equity-chart canvas").count() > 0
        assert wrong == []


def _change(site: Site, *topics: str) -> None:
    """Tell the server's own loop that something changed."""
    loop: asyncio.AbstractEventLoop = site.house.app.state.loop
    added = asyncio.run_coroutine_threadsafe(
        site.desk.log.add(frozenset(topics), datetime(2005, 12, 1, tzinfo=UTC)), loop
    )
    added.result(timeout=5)


async def test_a_new_bar_reaches_an_open_chart_with_its_position(browser: Browser, own_site: Site) -> None:
    async with watched(browser, own_site, width=1440, height=900) as (page, wrong):
        await sign_in(page, own_site)
        await page.goto(f"{own_site.base}/symbols/MSFT")
        await ready(page)
        await expect(page.locator("[data-readout]")).to_contain_text("2005-11-18")
        frames = own_site.desk.reads.frames
        shown = frames["MSFT"].filter(frames["MSFT"]["closed_at"] > own_site.desk.status().now)
        own_site.desk.status_changes["now"] = shown["closed_at"][1]
        _change(own_site, "equity")
        await expect(page.locator("[data-readout]")).to_contain_text("2005-11-22", timeout=20_000)
        await expect(page.locator("#quote b")).to_have_text(f"{shown['close'][1]:,.2f}")
        assert wrong == []


async def test_search_finds_while_typing_and_by_its_keys(browser: Browser, site: Site) -> None:
    async with watched(browser, site, width=1440, height=900) as (page, wrong):
        await sign_in(page, site)
        await page.keyboard.press("Control+k")
        await page.keyboard.type("msf")
        await expect(page.locator("#found")).to_contain_text("MSFT")
        await page.keyboard.press("Escape")  # empties the field
        # The next keys come before the browser has drawn the page without the dialog, whose field still has the focus.
        await asyncio.gather(*(page.keyboard.press(key) for key in ("Escape", "g", "d")))
        await page.wait_for_url(f"{site.base}/decisions")
        assert wrong == []
