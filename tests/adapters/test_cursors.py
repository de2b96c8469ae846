"""A feed goes on where it stopped."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.cursors import FeedCursors
from evil2root.domain.core.timeframe import Interval
from tests.adapters.kernel_runs import BEGIN

pytestmark = pytest.mark.postgres


async def test_the_last_close_is_remembered_for_each_feed_and_interval(engine: AsyncEngine) -> None:
    cursors = FeedCursors(engine)
    await cursors.put("replay", Interval.D1, BEGIN)
    await cursors.put("replay", Interval.H1, BEGIN)
    await cursors.put("replay", Interval.D1, BEGIN + timedelta(days=1))

    assert await FeedCursors(engine).get("replay", Interval.D1) == BEGIN + timedelta(days=1)
    assert await cursors.get("replay", Interval.H1) == BEGIN
    assert await cursors.get("yfinance", Interval.D1) is None
