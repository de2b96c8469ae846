"""The rules in their order: single rows, their places, the whole answer, the course of prices."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from evil2root.domain.market.cleaning import cells, jumps, levels, peers, places, repeats, wicks
from evil2root.domain.market.cleaning.table import Floats, Table
from evil2root.domain.market.cleaning.values import Cleaned, Known
from evil2root.domain.market.history import STORED_SCHEMA
from evil2root.domain.market.sessions import EPOCH, MICROSECOND, Sessions, moment
from evil2root.domain.market.sources import Fetched

SPLIT_EXPLAINED = 0.5
"""Share of a confirmed split's log ratio that a factor must show for the source to have adjusted for it."""

SAME_SPLIT = timedelta(days=3)
"""Sources name a split by midnights or openings, here or there: two so near are one."""

RESCALE_LEAST = 1e-4
"""Smallest change of a factor that is taken for a split or dividend: sources round adjusted prices."""


def clean(fetched: Fetched, sessions: Sessions, known: Known | None = None) -> Cleaned:
    """Sort what a source told into what is believed, what is not over yet, and what is quarantined, with reasons.

    Pure, and the same for one row or a million: cost is rows x log rows. Raises nothing for values; a table without
    `RAW_SCHEMA`'s columns is the source's own fault and raises polars' error.

    Parameters
    ----------
    fetched
        Any order, any value.
    sessions
        Of the symbol's market, as `Calendars.sessions` gives them.
    known
        Stored bars around the answer and what other sources told; without it only the answer itself speaks.
    """
    known = known or Known()
    fetched = replace(fetched, splits=_splits(fetched, known.peers))
    table = Table(fetched)
    peers.currency(table, fetched, known)
    cells.times(table, sessions)
    cells.values(table, has_volume=known.has_volume)
    places.order(table)
    places.sessions(table, sessions, fetched.interval)
    places.repetitions(table)
    incomplete = _incomplete(table, fetched, known)
    peers.stored(table, fetched, known)
    known = replace(known, peers=_on_grid(known.peers, sessions))
    peers.quorum(table, fetched, known)
    rescale = levels.levels(table, fetched, known)
    until = int(table.at[-1]) if len(table) else 0
    wicks.wicks(table, known)
    confirmed = np.isin(table.at, np.array(sorted(table.agreed), dtype=np.int64))
    jumps.jumps(table, fetched, known, confirmed, rescale=rescale)
    repeats.repeats(table, known)
    levels.newest(table, fetched, until=until)
    factor = _factors(table, fetched, known)
    places.gaps(table, sessions, fetched.interval)
    good = _stored(table, factor)
    return Cleaned(
        symbol=fetched.symbol,
        interval=fetched.interval,
        source=fetched.source,
        fetched_at=fetched.fetched_at,
        good=good,
        incomplete=incomplete,
        quarantined=table.quarantined(),
        issues=tuple(sorted(table.issues, key=lambda issue: (issue.start, issue.kind, issue.detail))),
        repaired=frozenset(moment(at) for at in table.repaired & set(table.at.tolist())),
        agreed=frozenset(moment(at) for at in table.agreed & set(table.at.tolist())),
        rescale=_rescale(good, known, beside=rescale),
    )


def _splits(fetched: Fetched, peers: tuple[Fetched, ...]) -> tuple[tuple[datetime, float], ...]:
    """Splits the source confirms, and those only others have heard of yet: believed where the price shows them."""
    splits = list(fetched.splits)
    for when, ratio in (split for peer in peers for split in peer.splits):
        if not any(abs(when - other) <= SAME_SPLIT for other, _ in splits):
            splits.append((when, ratio))
    return tuple(splits)


def _on_grid(told: tuple[Fetched, ...], sessions: Sessions) -> tuple[Fetched, ...]:
    """Name other sources' daily bars by the openings of their sessions, as our own are."""
    return tuple(replace(peer, rows=places.on_grid(peer.rows, sessions, peer.interval)) for peer in told)


def _incomplete(table: Table, fetched: Fetched, known: Known) -> pl.DataFrame:
    """Take the bar that is not over yet out of the table."""
    now = (fetched.fetched_at - EPOCH) // MICROSECOND
    running = table.closed > now
    if not running.any():
        return pl.DataFrame(schema=STORED_SCHEMA)
    part = _stored(table, _filled(table, known)).filter(pl.Series(running)).tail(1)
    table.keep(~running)
    return part


def _filled(table: Table, known: Known) -> Floats:
    """Factors; where the source does not say, that of the stored bar, else of the newest stored one, else 1."""
    factor = table.values["factor"].copy()
    blank = np.isnan(factor)
    if not blank.any():
        return factor
    if not known.stored.height:
        return np.where(blank, 1.0, factor)
    at = known.stored["opened_at"].to_physical().to_numpy()
    row = np.clip(np.searchsorted(at, table.at, side="right") - 1, 0, len(at) - 1)
    return np.where(blank, known.stored["factor"].to_numpy()[row], factor)


def _factors(table: Table, fetched: Fetched, known: Known) -> Floats:
    """Fill factors in, and adjust bars before a confirmed split the source has not adjusted for."""
    factor = _filled(table, known)
    for when, ratio in fetched.splits:
        row = int(np.searchsorted(table.at, (when - EPOCH) // MICROSECOND))
        if not (ratio > 0 and np.isfinite(ratio) and ratio != 1 and 0 < row < len(table)):
            continue
        size = float(np.log(ratio))
        raw = float(np.log(table.values["close"][row] / table.values["close"][row - 1]))
        shown = float(np.log(factor[row] / factor[row - 1]))
        halved = abs(raw + size) < abs(raw)
        if halved and shown / size < SPLIT_EXPLAINED:
            factor[:row] /= ratio
            before = np.zeros(len(table), dtype=np.bool_)
            before[:row] = True
            table.note("split", before, action="adjusted", detail=f"prices before a confirmed split of {ratio:g} for 1")
    return factor


def _rescale(good: pl.DataFrame, known: Known, *, beside: float) -> float:
    """By how much the oldest bars that are told again have another factor than is stored; 1 when they have not.

    Factors are relative to the newest bar: a split or dividend changes those of all bars before it, also of those that
    were not asked for. Told by the two oldest alike, so that one bad factor moves nothing; where none is told again,
    by what `levels` made of the stored bars `beside` the answer.
    """
    told = known.stored.join(good, on="opened_at", suffix="_told").sort("opened_at").head(2)
    if not told.height and good.height:
        return beside
    if told.height < 2 or not (known.stored["opened_at"] < told["opened_at"][0]).any():
        return 1.0
    first, second = (told["factor_told"] / told["factor"]).to_list()
    alike = abs(first / second - 1.0) <= RESCALE_LEAST and abs(first - 1.0) > RESCALE_LEAST
    return float(first) if alike else 1.0


def _stored(table: Table, factor: Floats) -> pl.DataFrame:
    columns = {name: table.values[name] for name in ("open", "high", "low", "close", "volume")}
    made = pl.DataFrame({"opened_at": table.at, "closed_at": table.closed, **columns, "factor": factor})
    return made.cast(STORED_SCHEMA)
