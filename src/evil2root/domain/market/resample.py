"""From short bars to longer ones, session by session: no bar spans a close, and none is made that is not over."""

import numpy as np
import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import STORED_SCHEMA
from evil2root.domain.market.sessions import Sessions


def resampled(
    stored: pl.DataFrame, sessions: Sessions, *, interval: Interval, into: Interval, keep_holed: bool = False
) -> pl.DataFrame:
    """Put bars of `interval` together into bars of `into`.

    Parameters
    ----------
    stored
        `STORED_SCHEMA`, oldest first. Bars the calendar does not know are left out.
    keep_holed
        Also give bars of which a part is missing, as thin markets need it. The last part must be there in any case:
        without it nobody knows that the bar is over.

    Returns
    -------
    pl.DataFrame
        `STORED_SCHEMA`: first open, highest high, lowest low, last close, sum of volumes, last factor, prices brought
        to that factor. A whole bar's times are the calendar's: half days end early.

    Notes
    -----
    1m to 1h to 1d gives what 1m to 1d gives, but for the last digits of volume. Raises `ValueError` unless `into` is
    the longer one and a multiple.
    """
    if into.length <= interval.length or into.length % interval.length:
        msg = f"Bars of {interval} do not make bars of {into}: name a longer one that is a multiple."
        raise ValueError(msg)
    if not stored.height:
        return pl.DataFrame(schema=STORED_SCHEMA)
    opened = stored["opened_at"].to_physical().to_numpy()
    begin, end = int(opened[0]), int(opened[-1]) + 1
    day = 24 * 3_600_000_000
    opens, closes = sessions.grid(into, start=begin - 8 * day, end=end)
    parts, _ = sessions.grid(interval, start=begin - 8 * day, end=end + 8 * day)
    if not len(opens):
        return pl.DataFrame(schema=STORED_SCHEMA)
    row = np.searchsorted(opens, opened, side="right") - 1
    known = (row >= 0) & (sessions.closes_of(opened, interval) >= 0)
    known &= opened < closes[np.maximum(row, 0)]
    first, last = np.searchsorted(parts, opens), np.searchsorted(parts, closes)
    expected, final = last - first, parts[np.maximum(last - 1, 0)]
    table = stored.with_columns(bucket=pl.Series(row)).filter(pl.Series(known))
    newest = pl.col("factor").last()
    made = table.group_by("bucket", maintain_order=True).agg(
        (pl.col("open").first() * pl.col("factor").first() / newest).alias("open"),
        ((pl.col("high") * pl.col("factor")).max() / newest).alias("high"),
        ((pl.col("low") * pl.col("factor")).min() / newest).alias("low"),
        pl.col("close").last(),
        ((pl.col("volume") / pl.col("factor")).sum() * newest).alias("volume"),
        newest.alias("factor"),
        pl.len().alias("parts"),
        pl.col("opened_at").last().to_physical().alias("final"),
    )
    bucket = made["bucket"].to_numpy()
    whole = made["final"].to_numpy() == final[bucket]
    if not keep_holed:
        whole &= made["parts"].to_numpy() == expected[bucket]
    made = made.with_columns(opened_at=pl.Series(opens[bucket]), closed_at=pl.Series(closes[bucket]))
    # Dividing by the factor may cost the last bit: the bar still encloses its open and close.
    made = made.with_columns(
        high=pl.max_horizontal("open", "high", "low", "close"), low=pl.min_horizontal("open", "high", "low", "close")
    )
    return made.filter(pl.Series(whole)).select(list(STORED_SCHEMA)).cast(STORED_SCHEMA)
