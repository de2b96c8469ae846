"""The chart of a symbol: what is drawn lies where the API says, and everything drawn can be turned, walked and read."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Response, Route, expect

from evil2root.domain.signals.patterns.pivots import Pivot
from evil2root.domain.signals.patterns.shape import Line
from tests.browser.conftest import Site, sign_in
from tests.browser.drawn import RECORDER, Mark, marks, near, places, until
from tests.browser.test_pages_in_a_browser import ready, watched

pytestmark = pytest.mark.browser

Told = dict[str, Any]
"""What the API answered, by the last part of its address."""
WHOLE = "drawn.chart.timeScale().setVisibleLogicalRange({ from: 0, to: drawn.data.bars.length + 1 })"
RANGE = "drawn.chart.timeScale().getVisibleRange()"


@asynccontextmanager
async def a_chart(
    browser: Browser, site: Site, symbol: str, *, through: Callable[[Page], Awaitable[None]] | None = None
) -> AsyncIterator[tuple[Page, Told]]:
    """A symbol's page, drawn, with a recorder in its canvas."""
    async with watched(browser, site, width=1440, height=900) as (page, wrong):
        told: Told = {}

        async def keep(answer: Response) -> None:
            part = re.search(r"/(bars|indicators|patterns|levels)\?", answer.url)
            if part and answer.ok:
                told.setdefault(part[1], await answer.json())

        await page.add_init_script(RECORDER)
        await sign_in(page, site)
        if through is not None:
            await through(page)
        page.on("response", keep)
        await page.goto(f"{site.base}/symbols/{symbol}")
        await ready(page)
        yield page, told
        assert wrong == []


def times(told: Told) -> list[str]:
    return [bar["opened_at"][:10] for bar in told["bars"]["items"]]


def has(found: list[Mark], at: tuple[float, float] | None, *, px: float = 1.0) -> bool:
    assert at is not None
    return any(near(one.at, at, px=px) for one in found)


def newest_points(told: Told) -> list[tuple[str, float]]:
    return [(p["time"][:10], p["price"]) for pattern in told["patterns"]["items"][:6] for p in pattern["points"]]


async def test_patterns_pass_through_the_very_points_the_api_tells(browser: Browser, site: Site) -> None:
    async with a_chart(browser, site, "MSFT") as (page, told):
        await page.evaluate(WHOLE)
        dots = dots_of(await marks(page))
        points = newest_points(told)
        expected = await places(page, points)

        assert points
        for point, place in zip(points, expected, strict=True):
            assert has(dots, place), f"no dot at {point}, {place}"
        assert all(any(place is not None and near(dot.at, place) for place in expected) for dot in dots)
        await page.click('[data-layer="patterns"]')
        assert not dots_of(await marks(page))


def dots_of(drawn: list[Mark]) -> list[Mark]:
    return [one for one in drawn if one.kind == "arc" and one.radius == 3]


async def test_figures_between_two_lines_show_both_and_others_point_to_their_breakout(
    browser: Browser, site: Site
) -> None:
    """Bars that touch, as a coin's do: the next one opens the moment a pattern is confirmed, and is not the bar meant."""
    frame = site.desk.reads.frames["EURUSD=X"]
    stamps = [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in frame["closed_at"]]
    touching = dict(zip(stamps, [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in frame["opened_at"][1:]], strict=False))

    async def touch(route: Route) -> None:
        answer = await route.fetch()
        text = re.sub(r"(?<=_at\":\")[^\"]+", lambda m: touching.get(m[0], m[0]), await answer.text())
        await route.fulfill(response=answer, body=text)

    async def through(page: Page) -> None:
        await page.route(re.compile(r"/(bars|patterns)\?"), touch)

    async with a_chart(browser, site, "EURUSD=X", through=through) as (page, told):
        await page.evaluate(WHOLE)
        drawn = await marks(page)
        lines = [one for one in drawn if one.kind == "stroke" and len(one.path) > 1]
        for place in await places(page, newest_points(told)):
            assert has(dots_of(drawn), place)
        bars = told["bars"]["items"]
        rows = {bar["opened_at"]: row for row, bar in enumerate(bars)}
        kinds = set()
        for pattern in told["patterns"]["items"][:6]:
            turns = [
                Pivot(row=rows[point["time"]], price=point["price"], is_high=False, known=0)
                for point in pattern["points"]
            ]
            end = next(row for row, bar in enumerate(bars) if bar["closed_at"] == pattern["confirmed_at"])
            between = re.search("triangle|wedge|channel|rectangle", pattern["kind"]) is not None
            kinds.add(between)
            if between:
                edges = [Line.through(turns[side::2]) for side in (0, 1)]
                wanted = [
                    (turns[0].row, turns[-1].row, edge(turns[0].row), edge(turns[-1].row), False) for edge in edges
                ]
                ends = [edge for edge in edges if abs(edge(end) - pattern["breakout"]) < 1e-9]
                assert len(ends) == 1
                wanted.append((turns[-1].row, end, ends[0](turns[-1].row), pattern["breakout"], True))
            else:
                wanted = [(a.row, b.row, a.price, b.price, False) for a, b in pairwise(turns)]
                wanted.append((turns[-1].row, end, turns[-1].price, pattern["breakout"], True))
            for first, last, start, stop, dash in wanted:
                ends_at = await places(
                    page, [(bars[first]["opened_at"][:10], start), (bars[last]["opened_at"][:10], stop)]
                )
                assert any(_joins(line, *ends_at) and line.dash is dash for line in lines), f"{pattern['kind']} {dash}"
        assert kinds == {True, False}


def _joins(line: Mark, start: tuple[float, float] | None, end: tuple[float, float] | None) -> bool:
    assert start is not None
    assert end is not None
    return any(near(a, start) and near(b, end) for a, b in pairwise(line.path))


async def test_levels_bands_trades_and_guards_are_drawn_where_they_belong(browser: Browser, site: Site) -> None:
    async with a_chart(browser, site, "MSFT") as (page, told):
        levels = {one.text for one in await marks(page) if re.match("support|resistance", one.text)}
        _hold_levels([float(text.split()[1]) for text in levels], told)
        assert await page.locator('[data-rows="levels"] tr').count() == len(levels)
        await page.evaluate(WHOLE)
        drawn = await marks(page)
        columns = told["indicators"]["columns"]
        day, high, low = next(
            (day, high, low)
            for day, high, low in zip(times(told), columns["bb_upper"], columns["bb_lower"], strict=True)
            if high is not None
        )
        corners = [place for one in drawn if one.region for place in one.path]
        for place in await places(page, [(day, high), (day, low)]):
            assert place is not None
            assert any(near(corner, place) for corner in corners)

        position = site.desk.state.portfolio.positions["MSFT"]
        lines = [one.path for one in drawn if one.kind == "stroke" and len(one.path) == 2]
        for name, price in (("entry", position.average_price), ("stop", position.stop)):
            assert price is not None
            (at,) = await places(page, [(times(told)[-1], float(price))])
            assert at is not None
            assert any(abs(a[1] - at[1]) <= 1 and a[1] == b[1] and b[0] - a[0] > 300 for a, b in lines), name
            assert name in {one.text for one in drawn}

        trades = [trade for trade in site.desk.book.run.trades if trade.symbol == "MSFT"]
        results = [one for one in drawn if one.kind == "text" and re.fullmatch(r"[+\u2212]\d+\.\d\dR", one.text)]
        arrows = {one.path for one in drawn if one.kind == "fill" and not one.region and len(one.path) > 5}
        assert len(arrows) == 2 * len(trades) + 1  # the open position's entry, too
        for trade in trades:
            for when in (trade.entry_time, trade.exit_time):
                (at,) = await places(page, [(when.date().isoformat(), float(trade.entry_price))])
                assert at is not None
                assert any(min(x for x, _ in path) <= at[0] <= max(x for x, _ in path) for path in arrows)
        assert 0 < len(results) <= len(trades)
        await page.click('[data-layer="trades"]')
        await page.click('[data-layer="bb"]')
        bare = await marks(page)
        assert not {"entry", "stop"} & {one.text for one in bare}
        assert not [one for one in bare if one.region]


def _hold_levels(shown: list[float], told: Told) -> None:
    """Near the prices in view, apart, and the strongest of those first."""
    seen = told["bars"]["items"][-110:]
    low, high = min(bar["low"] for bar in seen), max(bar["high"] for bar in seen)
    prices, height = sorted(shown), high - low
    assert 1 < len(prices) <= 6
    assert all(low - 0.06 * height <= price <= high + 0.06 * height for price in prices)
    assert all(b - a >= 0.04 * height for a, b in pairwise(prices))
    strongest = next(level for level in told["levels"]["items"] if low <= level["price"] <= high)
    assert any(abs(price - strongest["price"]) < 0.01 for price in prices)


async def test_any_indicator_is_added_remembered_and_taken_away_and_a_wrong_name_is_said(
    browser: Browser, site: Site
) -> None:
    panes = "drawn.chart.panes().length"
    async with a_chart(browser, site, "MSFT") as (page, _):
        before = await page.evaluate(panes)
        field = page.locator("[data-adder] input")
        await field.focus()
        await expect(page.locator("#indicator-names option")).not_to_have_count(0)
        assert await page.locator('#indicator-names option[value="willr_14"]').count() == 1
        await field.press("Enter")
        await expect(page.locator("[data-adder-says]")).to_contain_text("Type the name")
        for name, more in (
            ("willr_14", 1),
            ("sma_50", 0),
            ("atr_14", 1),
        ):  # an average lies over the bars, a range does not
            await field.fill(name)
            await field.press("Enter")
            await expect(page.locator(f'[data-added="{name}"]')).to_be_visible()
            before += more
            assert await page.evaluate(panes) == before, name
        await page.reload()
        await ready(page)
        assert await page.evaluate(panes) == before
        await expect(page.locator('[data-heads="lines"]')).to_contain_text("willr_14")
        await page.locator('[data-added="willr_14"]').press("Enter")
        await expect(page.locator("[data-added]")).to_have_count(2)
        assert await page.evaluate(panes) == before - 1
        await field.fill("wilr_14")
        await field.press("Enter")
        await expect(page.locator("[data-adder-says]")).to_contain_text(
            "There is no indicator wilr_14; near it: willr_14"
        )
        await expect(page.locator("[data-added]")).to_have_count(2)


async def test_older_bars_come_when_the_left_edge_does_and_the_place_is_kept(browser: Browser, site: Site) -> None:
    async def shorten(route: Route) -> None:
        await route.continue_(url=route.request.url.replace("limit=1000", "limit=150"))

    async def through(page: Page) -> None:
        await page.route(re.compile(r"/(bars|indicators)\?"), shorten)

    async with a_chart(browser, site, "MSFT", through=through) as (page, told):
        assert len(told["bars"]["items"]) == 150
        shown = await page.evaluate(RANGE)
        await page.evaluate("drawn.chart.timeScale().setVisibleLogicalRange({ from: 30, to: 90 })")
        await marks(page)
        place = await page.evaluate(RANGE)
        assert place["from"] < shown["from"]
        await until(page, "drawn.data.bars.length === 230")
        await marks(page)
        assert await page.evaluate(RANGE) == place
        assert await page.evaluate("drawn.data.lines.get('ema_20').size") > 150
        await page.focus(".chart")
        await page.keyboard.press("Home")
        await marks(page)
        assert (await page.evaluate(RANGE))["from"] == "2005-01-03"
        await expect(page.locator("[data-readout]")).to_contain_text("2005-01-03")


async def test_a_currency_is_told_with_all_its_decimals_on_the_axis_and_by_keys_that_scroll_along(
    browser: Browser, site: Site
) -> None:
    async with a_chart(browser, site, "EURUSD=X") as (page, told):
        axis = [one.text for one in await marks(page) if one.kind == "text" and re.fullmatch(r"1\.\d+", one.text)]
        assert len(set(axis)) > 4
        assert all(re.fullmatch(r"1\.\d{5}", text) for text in axis), axis

        await page.focus(".chart")
        for _ in range(8):
            await page.keyboard.press("PageUp")
        await marks(page)
        bar = told["bars"]["items"][-1 - 8 * 21]
        said = await page.locator(".chart + p.sr").text_content()
        assert said is not None
        assert said.startswith(f"{bar['opened_at'][:10]}: open {bar['open']:.5f}, high {bar['high']:.5f}")
        seen = await page.evaluate(RANGE)
        assert seen["from"] <= bar["opened_at"][:10] <= seen["to"]
        await expect(page.locator("[data-readout]")).to_contain_text(bar["opened_at"][:10])


async def test_the_tables_tell_lines_and_trades_and_candlesticks_are_there_when_asked_for(
    browser: Browser, site: Site
) -> None:
    async with a_chart(browser, site, "MSFT") as (page, told):
        await page.click("[data-toggle=bars-table]")
        names = await page.locator('[data-heads="lines"] th').all_text_contents()
        assert {"Opened", "ema_20", "bb_upper", "rsi_14", "macd"} <= set(names)
        newest = await page.locator('[data-rows="lines"] tr').first.locator("th, td").all_text_contents()
        assert newest[0] == times(told)[-1]
        rsi = told["indicators"]["columns"]["rsi_14"][-1]
        assert abs(float(newest[names.index("rsi_14")]) - rsi) < 0.01
        trades = [trade for trade in site.desk.book.run.trades if trade.symbol == "MSFT"]
        assert await page.locator('[data-rows="trades"] tr').count() == min(60, 2 * len(trades) + 1)

        patterns = len(told["patterns"]["items"])  # those drawn, and the newest besides
        assert await page.locator('[data-rows="patterns"] tr').count() == min(6, patterns) > 0

        before = [one for one in await marks(page) if one.kind == "arc"]
        async with page.expect_response(lambda answer: "candles=true" in answer.url) as asked:
            await page.click('[data-layer="candles"]')
        found = [one for one in (await (await asked.value).json())["items"] if one["kind"].startswith("CDL")]
        assert found
        await expect(page.locator('[data-layer="candles"]')).to_have_attribute("aria-pressed", "true")
        await until(page, f"drawn.data.shapes.candles.length === {len(found)}")
        assert len([one for one in await marks(page) if one.kind == "arc"]) > len(before)
