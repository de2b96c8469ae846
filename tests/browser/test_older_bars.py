"""Bars before those shown: they come whole or not at all, and again when they could not be read."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.conftest import Site
from tests.browser.drawn import marks, until
from tests.browser.test_symbol_chart import RANGE, a_chart

pytestmark = pytest.mark.browser

TO_THE_LEFT = "drawn.chart.timeScale().setVisibleLogicalRange({ from: 30, to: 90 })"
LATER = "(() => { const now = Date.now; Date.now = () => now() + 60000; })()"
COUNTED = "[drawn.data.bars.length, drawn.price.data().length]"


async def few(page: Page) -> None:
    """Show 200 of the 230 stored bars: older ones are asked for when the reader goes to the left, and not before."""

    async def shorten(route: Route) -> None:
        await route.continue_(url=route.request.url.replace("limit=1000", "limit=200"))

    await page.route(re.compile(r"/(bars|indicators)\?"), shorten)


def held(asked: asyncio.Event, *, until: asyncio.Event) -> Callable[[Route], Awaitable[None]]:
    """Tell that a question has come, and let it through when the time has come."""

    async def hold(route: Route) -> None:
        asked.set()
        await until.wait()
        await route.continue_()

    return hold


async def test_older_bars_wait_for_all_that_is_drawn_over_them(browser: Browser, site: Site) -> None:
    """Between the bars and the patterns a redraw or a key would count rows that the chart does not have."""
    asked, told = asyncio.Event(), asyncio.Event()
    async with a_chart(browser, site, "MSFT", through=few) as (page, _):
        await page.route(re.compile(r"/patterns\?"), held(asked, until=told))
        async with page.expect_response(re.compile(r"/bars\?.*cursor=")) as older:
            await page.evaluate(TO_THE_LEFT)
        await (await older.value).finished()
        await asyncio.wait_for(asked.wait(), timeout=10)
        await marks(page)
        place = await page.evaluate(RANGE)
        assert await page.evaluate(COUNTED) == [200, 200]

        await page.click('[data-layer="ema"]')
        await marks(page)
        assert await page.evaluate(RANGE) == place
        told.set()
        await until(page, "drawn.data.bars.length === 230")
        assert await page.evaluate(COUNTED) == [230, 230]
        await marks(page)
        assert await page.evaluate(RANGE) == place


async def test_older_bars_that_could_not_be_read_are_said_and_asked_for_again(browser: Browser, site: Site) -> None:
    async def fall(route: Route) -> None:
        await route.fulfill(json={"detail": "The store is away"})

    says = "[data-adder-says]"
    async with a_chart(browser, site, "MSFT", through=few) as (page, _):
        # An answer that is none: one with a bad status would be an error of the page as the browser tells it.
        await page.route(re.compile(r"/bars\?.*cursor="), fall)
        await page.evaluate(TO_THE_LEFT)
        await expect(page.locator(says)).to_contain_text("Older bars could not be read")
        await page.unroute(re.compile(r"/bars\?.*cursor="))

        await page.evaluate(LATER)
        await page.evaluate(TO_THE_LEFT.replace("30", "20"))
        await until(page, "drawn.data.bars.length === 230")
        await expect(page.locator(says)).to_be_hidden()


async def test_a_range_has_a_pane_of_its_own_however_low_prices_once_were(browser: Browser, site: Site) -> None:
    async def cheap(route: Route) -> None:
        answer = await route.fetch()
        told = await answer.json()
        told["items"][0]["low"] = 0.01
        await route.fulfill(response=answer, json=told)

    async def through(page: Page) -> None:
        await page.route(re.compile(r"/bars\?"), cheap)

    panes = "drawn.chart.panes().length"
    async with a_chart(browser, site, "MSFT", through=through) as (page, _):
        before = await page.evaluate(panes)
        await page.fill("[data-adder] input", "atr_14")
        await page.press("[data-adder] input", "Enter")
        await expect(page.locator('[data-added="atr_14"]')).to_be_visible()
        assert await page.evaluate(panes) == before + 1


async def test_a_running_total_is_drawn_from_one_answer(browser: Browser, site: Site) -> None:
    """It starts at the first bar of each answer, so values of two answers don't fit each other."""
    start = 0

    async def total(route: Route) -> None:
        answer = await route.fetch()
        told = await answer.json()
        told["columns"]["obv"] = [start + row for row in range(len(told["opened_at"]))]
        await route.fulfill(response=answer, json=told)

    line = "drawn.chart.panes().at(-1).getSeries()[0].data().map(({ value }) => value)"
    async with a_chart(browser, site, "MSFT", through=few) as (page, told):
        await page.route(re.compile(r"/indicators\?.*name=obv"), total)
        await page.fill("[data-adder] input", "obv")
        await page.press("[data-adder] input", "Enter")
        await expect(page.locator('[data-added="obv"]')).to_be_visible()
        assert await page.evaluate(line) == list(range(200))

        await page.evaluate(TO_THE_LEFT)
        await until(page, "drawn.data.bars.length === 230")
        assert await page.evaluate(line) == list(range(230))

        start = 1_000
        newest = told["bars"]["items"][-1]
        await page.evaluate("(bars) => drawn.update({ bars, marks: { trades: drawn.data.trades } })", [newest])
        assert await page.evaluate(line) == list(range(start, start + 230))


async def test_a_live_bar_is_drawn_on_the_chart_that_a_chip_made_meanwhile(browser: Browser, site: Site) -> None:
    asked, told_now = asyncio.Event(), asyncio.Event()
    async with a_chart(browser, site, "MSFT", through=few) as (page, told):
        await page.route(re.compile(r"/indicators\?"), held(asked, until=told_now))
        newest = told["bars"]["items"][-1]
        newest |= {"close": newest["high"]}
        live = page.evaluate("(bars) => drawn.update({ bars, marks: { trades: drawn.data.trades } })", [newest])
        updating = asyncio.ensure_future(live)
        await asyncio.wait_for(asked.wait(), timeout=10)
        await page.click('[data-layer="ema"]')
        await marks(page)
        told_now.set()
        await updating
        assert await page.evaluate("drawn.price.data().at(-1).close") == newest["high"]
