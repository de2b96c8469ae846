"""Series for tests of the store: wavy closes, a factor that grows."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import STORED_SCHEMA, History

BEGIN = datetime(1999, 12, 30, 14, 30, tzinfo=UTC)


def a_history(
    rows: int = 30, *, symbol: str = "AAPL", interval: Interval = Interval.D1, begin: datetime = BEGIN
) -> History:
    steps = np.arange(rows)
    close = 100 + 10 * np.sin(steps * 0.37)
    opened = [begin + timedelta(days=int(n)) for n in steps]
    stored = pl.DataFrame(
        {
            "opened_at": opened, "closed_at": [o + timedelta(hours=6, minutes=30) for o in opened], "open": close + 0.1,
            "high": close + 1, "low": close - 1, "close": close, "volume": 1e6 + steps, "factor": 0.5 + steps / (2 * rows),
        },
        schema=STORED_SCHEMA,
    )  # fmt: skip
    return History(symbol=symbol, interval=interval, stored=stored, origin="a test")


def changed(history: History, *, row: int, close: float) -> History:
    closes = history.stored["close"].to_list()
    closes[row] = close
    stored = history.stored.with_columns(pl.Series("close", closes))
    return History(symbol=history.symbol, interval=history.interval, stored=stored, origin="another test")
