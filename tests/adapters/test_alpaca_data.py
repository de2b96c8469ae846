"""Bars from Alpaca, over real HTTP from a local server that speaks its protocol."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.market_data.alpaca import AlpacaSource
from evil2root.adapters.market_data.wire import Bounds
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, NotCovered
from evil2root.domain.market.cleaning import clean
from evil2root.domain.market.sources import RAW_SCHEMA
from tests.fakes.sources import SteppedClock
from tests.servers.alpaca_data import KEY, SECRET, AlpacaData, bar
from tests.servers.faults import BOMB_BYTES
from tests.servers.serving import served

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime(2024, 6, 14, 21, 0, tzinfo=UTC)
MONDAY = datetime(2024, 6, 10, 4, 0, tzinfo=UTC)
"""Midnight in New York, by which Alpaca names a day."""
START, END = datetime(2024, 6, 10, 13, 30, tzinfo=UTC), NOW
CALENDARS = ExchangeCalendars()
HASTY = Bounds(total_s=0.3)
"""For answers that never end; what does end may take its time on a machine that is busy."""


DAYS = [bar(MONDAY + timedelta(days=n), 100.0 + n) for n in range(5)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[tuple[AlpacaData, str]]:
    server = AlpacaData()
    async with served(server) as address:
        yield server, address


@pytest.fixture
def server(running: tuple[AlpacaData, str]) -> AlpacaData:
    running[0].forget()
    return running[0]


@pytest_asyncio.fixture(loop_scope="module")
async def source(running: tuple[AlpacaData, str]) -> AsyncIterator[AlpacaSource]:
    made = AlpacaSource(running[1], SecretStr(KEY), SecretStr(SECRET), clock=SteppedClock(NOW), calendars=CALENDARS)  # fmt: skip
    yield made
    await made.close()


class TestShares:
    async def test_days_are_told_as_they_are_and_clean(self, server: AlpacaData, source: AlpacaSource) -> None:
        server.put("AAPL", "1Day", DAYS)

        fetched = await source.bars("AAPL", Interval.D1, start=START, end=END)

        assert fetched.rows.schema == RAW_SCHEMA
        assert fetched.rows["close"].to_list() == [100.0, 101.0, 102.0, 103.0, 104.0]
        assert fetched.rows["factor"].to_list() == [1.0] * 5
        assert (fetched.symbol, fetched.source, fetched.currency) == ("AAPL", "alpaca", "USD")
        cleaned = clean(fetched, CALENDARS.sessions(instrument_for("AAPL")))
        assert cleaned.is_clean
        assert cleaned.good["opened_at"][0] == START

    async def test_pages_are_followed_to_the_last(self, server: AlpacaData, source: AlpacaSource) -> None:
        server.put("AAPL", "1Day", DAYS)
        server.page_most = 2

        fetched = await source.bars("AAPL", Interval.D1, start=START, end=END)

        assert fetched.rows["close"].to_list() == [100.0, 101.0, 102.0, 103.0, 104.0]
        assert sum("page_token" in asked for _, asked in server.asked) == 4

    async def test_factors_are_the_days_adjusted_closes_over_the_raw_ones(
        self, server: AlpacaData, source: AlpacaSource
    ) -> None:
        raw = [*DAYS[:3], bar(MONDAY + timedelta(days=3), 10.3), bar(MONDAY + timedelta(days=4), 10.4)]
        whole = [*(bar(MONDAY + timedelta(days=n), (100.0 + n) / 10 * 0.99) for n in range(3)), *raw[3:]]
        server.put("AAPL", "1Day", raw, whole=whole)
        server.splits = [{"symbol": "AAPL", "ex_date": "2024-06-13", "new_rate": 10, "old_rate": 1}]

        fetched = await source.bars("AAPL", Interval.D1, start=START, end=END)

        assert fetched.rows["close"].to_list() == [100.0, 101.0, 102.0, 10.3, 10.4]
        assert fetched.rows["factor"].to_list() == pytest.approx([0.099, 0.099, 0.099, 1.0, 1.0])
        assert fetched.splits == ((datetime(2024, 6, 13, tzinfo=UTC), 10.0),)
        assert clean(fetched, CALENDARS.sessions(instrument_for("AAPL"))).good.height == 5

    async def test_splits_are_asked_for_once_a_day_and_bars_come_without_them(
        self, server: AlpacaData, source: AlpacaSource
    ) -> None:
        server.put("AAPL", "1Day", DAYS)
        server.actions_fault = "error"
        without = await source.bars("AAPL", Interval.D1, start=START, end=END)
        server.actions_fault = None

        for _ in range(3):
            await source.bars("AAPL", Interval.D1, start=START, end=END)

        assert without.rows.height == 5
        assert without.splits == ()
        assert sum(path == "/v1/corporate-actions" for path, _ in server.asked) == 2

    async def test_trading_outside_the_session_is_left_out_but_a_sunday_is_told(
        self, server: AlpacaData, source: AlpacaSource
    ) -> None:
        half_hours = [bar(MONDAY + timedelta(minutes=30 * n), 100.0) for n in range(8, 40)]
        sunday = bar(MONDAY - timedelta(hours=10), 100.0)
        server.put("AAPL", "30Min", [sunday, *half_hours])

        fetched = await source.bars("AAPL", Interval.M30, start=MONDAY - timedelta(days=1), end=END)

        opened = fetched.rows["opened_at"].to_list()
        assert opened == [MONDAY - timedelta(hours=10), *(START + timedelta(minutes=30 * n) for n in range(13))]

    async def test_hours_count_from_the_opening_and_need_their_last_half(
        self, server: AlpacaData, source: AlpacaSource
    ) -> None:
        half_hours = [bar(START + timedelta(minutes=30 * n), 100.0 + n) for n in range(5)]
        server.put("AAPL", "30Min", half_hours)

        fetched = await source.bars("AAPL", Interval.H1, start=START, end=END)

        assert fetched.rows["opened_at"].to_list() == [START, START + timedelta(hours=1)]
        assert fetched.rows.row(0)[1:] == (100.0, 102.0, 99.0, 101.0, 2000.0, 1.0)
        assert clean(fetched, CALENDARS.sessions(instrument_for("AAPL"))).good.height == 2

    async def test_an_hour_with_a_part_nobody_can_read_is_quarantined(
        self, server: AlpacaData, source: AlpacaSource
    ) -> None:
        half_hours = [bar(START + timedelta(minutes=30 * n), 100.0) for n in range(6)]
        half_hours[2]["l"] = "99"
        server.put("AAPL", "30Min", half_hours)

        fetched = await source.bars("AAPL", Interval.H1, start=START, end=END)
        cleaned = clean(fetched, CALENDARS.sessions(instrument_for("AAPL")))

        assert cleaned.good["opened_at"].to_list() == [START, START + timedelta(hours=2)]
        assert cleaned.quarantined["opened_at"].to_list() == [START + timedelta(hours=1)]

    async def test_the_day_that_is_not_over_is_never_stored(self, server: AlpacaData, source: AlpacaSource) -> None:
        server.put("AAPL", "1Day", DAYS)
        source._clock = SteppedClock(datetime(2024, 6, 14, 19, 59, tzinfo=UTC))

        fetched = await source.bars("AAPL", Interval.D1, start=START, end=END)
        cleaned = clean(fetched, CALENDARS.sessions(instrument_for("AAPL")))

        assert cleaned.good.height == 4
        assert cleaned.incomplete["close"].to_list() == [104.0]

    async def test_a_class_of_shares_is_asked_for_by_alpacas_name(
        self, server: AlpacaData, source: AlpacaSource
    ) -> None:
        server.put("BRK.B", "1Day", DAYS)

        fetched = await source.bars("BRK-B", Interval.D1, start=START, end=END)

        assert (fetched.symbol, fetched.rows.height) == ("BRK-B", 5)

    @pytest.mark.parametrize("symbol", ["EURUSD=X", "SAP.DE", "BTC-EUR"])
    async def test_what_alpaca_has_not_is_another_sources(self, source: AlpacaSource, symbol: str) -> None:
        with pytest.raises(NotCovered):
            await source.bars(symbol, Interval.D1, start=START, end=END)

    async def test_a_symbol_alpaca_does_not_know_is_another_sources(
        self, server: AlpacaData, source: AlpacaSource
    ) -> None:
        server.unknown.add("NOSUCH")

        with pytest.raises(NotCovered, match="invalid symbol"):
            await source.bars("NOSUCH", Interval.D1, start=START, end=END)

    async def test_an_answer_without_bars_is_an_answer(self, source: AlpacaSource) -> None:
        assert (await source.bars("AAPL", Interval.D1, start=START, end=END)).rows.height == 0

    async def test_bars_of_another_symbol_are_refused(self, server: AlpacaData, source: AlpacaSource) -> None:
        server.put("AAPL", "1Day", DAYS)
        server.calls_it["AAPL"] = "MSFT"

        with pytest.raises(BarsUnavailable, match="asked for AAPL and told of MSFT"):
            await source.bars("AAPL", Interval.D1, start=START, end=END)


class TestCoins:
    @pytest.mark.parametrize(("interval", "timeframe"), [(Interval.M1, "1Min"), (Interval.H1, "1Hour")])
    async def test_bars_by_the_clock_are_told_as_they_are(
        self, server: AlpacaData, source: AlpacaSource, interval: Interval, timeframe: str
    ) -> None:
        server.bars["BTC/USD", timeframe, ""] = [
            bar(START.replace(minute=0) + interval.length * n, 100.0 + n) for n in range(3)
        ]

        fetched = await source.bars("BTC-USD", interval, start=START.replace(minute=0), end=END)

        assert fetched.rows.height == 3
        assert clean(fetched, CALENDARS.sessions(instrument_for("BTC-USD"))).good.height == 3

    async def test_a_day_is_put_together_from_midnight_in_utc(self, server: AlpacaData, source: AlpacaSource) -> None:
        first = datetime(2024, 6, 10, tzinfo=UTC)
        server.bars["BTC/USD", "1Hour", ""] = [bar(first + timedelta(hours=n), 100.0 + n) for n in range(30)]

        fetched = await source.bars("BTC-USD", Interval.D1, start=first, end=END)

        assert fetched.rows["opened_at"].to_list() == [first]
        assert fetched.rows.row(0)[1:6] == (100.0, 124.0, 99.0, 123.0, 24_000.0)


class TestWhatMayComeInstead:
    @pytest.mark.parametrize("value", ["100.0", None, True, [], {}, "NaN", float("nan"), float("inf"), 10**400])
    async def test_a_value_that_is_no_number_spoils_its_row_alone(
        self, server: AlpacaData, source: AlpacaSource, value: Any
    ) -> None:
        server.put("AAPL", "1Day", [*DAYS[:2], DAYS[2] | {"c": value}, *DAYS[3:]])

        fetched = await source.bars("AAPL", Interval.D1, start=START, end=END)
        cleaned = clean(fetched, CALENDARS.sessions(instrument_for("AAPL")))

        assert cleaned.good["close"].to_list() == [100.0, 101.0, 103.0, 104.0]
        assert cleaned.quarantined["reason"].to_list() == ["no number"]

    @pytest.mark.parametrize(
        "row", [None, 7, "bar", [], {}, {"t": "yesterday"}, {"t": "2024-06-12T04:00:00"}, {"t": 5}]
    )
    async def test_a_row_that_is_no_row_is_quarantined_and_the_others_stay(
        self, server: AlpacaData, source: AlpacaSource, row: Any
    ) -> None:
        server.put("AAPL", "1Day", [*DAYS[:2], row, *DAYS[3:]])

        fetched = await source.bars("AAPL", Interval.D1, start=START, end=END)
        cleaned = clean(fetched, CALENDARS.sessions(instrument_for("AAPL")))

        assert cleaned.good.height == 4
        assert cleaned.quarantined["reason"].to_list() == ["time"]

    @pytest.mark.parametrize(
        "kind",
        ["cut", "html", "html_but_fine", "error", "unavailable", "truncated", "empty", "null", "number", "text", "list",
         "object", "deep", "deep_objects", "mark", "unlucky", "moved", "forbidden", "no_content", "cut_midway",
         "cut_packed", "not_packed", "packed_oddly", "not_text"],
    )  # fmt: skip
    async def test_no_bars_and_a_reason_come_of_it(self, server: AlpacaData, source: AlpacaSource, kind: str) -> None:
        server.put("AAPL", "1Day", DAYS)
        server.faults.planned.append(kind)

        with pytest.raises(BarsUnavailable, match="Alpaca") as said:
            await source.bars("AAPL", Interval.D1, start=START, end=END)

        assert len(str(said.value)) < 500
        assert not isinstance(said.value, NotCovered)
        assert len(server.asked) == 1
        assert (await source.bars("AAPL", Interval.D1, start=START, end=END)).rows.height == 5

    @pytest.mark.parametrize("kind", ["bomb", "endless"])
    async def test_no_more_is_read_than_an_answer_may_be_long(
        self, server: AlpacaData, source: AlpacaSource, kind: str
    ) -> None:
        server.faults.planned.append(kind)

        with pytest.raises(BarsUnavailable, match="longer than 4000000 bytes"):
            await source.bars("AAPL", Interval.D1, start=START, end=END)

        assert server.faults.sent_bytes < BOMB_BYTES // 10

    async def test_an_answer_that_drips_is_given_up(self, server: AlpacaData, source: AlpacaSource) -> None:
        source._wire.bounds = HASTY
        server.faults.planned.append("drip")

        with pytest.raises(BarsUnavailable, match="no whole answer within"):
            await source.bars("AAPL", Interval.D1, start=START, end=END)

    @pytest.mark.parametrize(
        ("headers", "wait_s"),
        [({"Retry-After": "17"}, 17.0), ({"Retry-After": "Fri, 14 Jun 2024 21:00:30 GMT"}, 30.0), ({}, None),
         ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 9)}, 9.0), ({"Retry-After": "soon"}, None)],
    )  # fmt: skip
    @pytest.mark.parametrize("status", [429, 503])
    async def test_being_asked_too_often_or_later_says_for_how_long(
        self, server: AlpacaData, source: AlpacaSource, headers: dict[str, str], wait_s: float | None, status: int
    ) -> None:
        server.faults.raw.append((status, b'{"message": "too many requests."}', headers))
        if status == 503 and wait_s is None:
            with pytest.raises(BarsUnavailable) as plain:
                await source.bars("AAPL", Interval.D1, start=START, end=END)
            assert type(plain.value) is BarsUnavailable
            return

        with pytest.raises(AskedTooOften) as said:
            await source.bars("AAPL", Interval.D1, start=START, end=END)

        assert said.value.retry_after_s == wait_s

    async def test_pages_without_an_end_are_given_up(self, server: AlpacaData, source: AlpacaSource) -> None:
        server.put("AAPL", "1Day", DAYS)
        server.loops = True

        with pytest.raises(BarsUnavailable, match="has no end"):
            await source.bars("AAPL", Interval.D1, start=START, end=END)

        assert len(server.asked) < 5

    async def test_more_rows_than_the_time_can_hold_are_given_up(
        self, server: AlpacaData, source: AlpacaSource
    ) -> None:
        server.put("AAPL", "1Day", DAYS * 600)

        with pytest.raises(BarsUnavailable, match="has no end"):
            await source.bars("AAPL", Interval.D1, start=START, end=END)

    async def test_keys_that_an_answer_repeats_are_not_shown(self, server: AlpacaData, source: AlpacaSource) -> None:
        server.faults.raw.append((500, json.dumps({"sent": [KEY, SECRET]}).encode(), {}))

        with pytest.raises(BarsUnavailable) as said:
            await source.bars("AAPL", Interval.D1, start=START, end=END)

        assert "***" in str(said.value)
        assert SECRET not in str(said.value)

    async def test_a_server_that_is_not_there_is_no_answer(self) -> None:
        away = AlpacaSource("http://127.0.0.1:9", SecretStr(KEY), SecretStr(SECRET), clock=SteppedClock(NOW),
                          calendars=CALENDARS)  # fmt: skip

        with pytest.raises(BarsUnavailable, match="ConnectError"):
            await away.bars("AAPL", Interval.D1, start=START, end=END)

        await away.close()
