"""Answers without bars are part of the report of their series, also where nothing is stored."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.intake import PostgresShelf
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.adapters.postgres.reads import PostgresReads
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import Unreadable
from evil2root.engine.fail_over import FailOver
from evil2root.engine.gathering import Gatherer
from tests.fakes.sources import FakeSource, SteppedClock
from tests.fakes.telling import ComputedCalendars

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOW = NOON + timedelta(hours=10, minutes=20)
BTC = instrument_for("BTC-USD")


async def test_a_symbol_without_bars_is_reported_with_why_nobody_told_any(engine: AsyncEngine) -> None:
    clock = SteppedClock(NOW)
    source = FakeSource("garbled", problems=[Unreadable("no JSON")] * 9)
    teller = FailOver([source, FakeSource("empty", closes=())], clock=clock, sleep=clock.sleep)
    gatherer = Gatherer(teller=teller, calendars=ComputedCalendars(), shelf=PostgresShelf(engine))

    for _ in range(3):
        await gatherer.gather(BTC, Interval.H1, start=NOON, end=NOW)

    report = await PostgresReads(engine, account="paper").quality("BTC-USD", Interval.H1, until=None)
    last = NOON + timedelta(hours=9)
    assert (report.bars, [(one.kind, one.start, one.end, one.rows, one.detail) for one in report.issues]) == (
        0,
        [
            ("empty", NOON, last, 10, "empty: it answered, and had no rows"),
            ("unreadable", NOON, last, 10, "garbled: no JSON"),
        ],
    )
    assert await PostgresQuality(engine).series() == [("BTC-USD", Interval.H1)]
