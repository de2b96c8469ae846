"""A feed that hangs tells the same bar again and again under new times."""

import numpy as np

from evil2root.domain.market.cleaning.table import Table
from evil2root.domain.market.cleaning.values import Known

HANGING_BARS = 3
"""Bars in a row with the same five numbers and some trading: chance does not do that."""
FLAT_BARS = 5
"""Bars in a row at one price without any trading that are worth naming."""
NUMBERS = ("open", "high", "low", "close", "volume")


def repeats(table: Table, known: Known) -> None:
    """Set aside all but the first of bars that repeat while something is said to be traded; name flat ones."""
    if not len(table):
        return
    before = known.stored.filter(known.stored["opened_at"].to_physical() < int(table.at[0])).tail(HANGING_BARS)
    columns = {name: np.concatenate((before[name].to_numpy(), table.values[name])) for name in NUMBERS}
    same = np.ones(len(table) + before.height, dtype=np.bool_)
    same[0] = False
    for column in columns.values():
        same[1:] &= column[1:] == column[:-1]
    starts = np.flatnonzero(~same)
    lengths = np.diff(np.append(starts, len(same)))
    length = np.repeat(lengths, lengths)
    moves = (columns["volume"] > 0) | (columns["high"] > columns["low"])
    flat = (~moves & (length >= FLAT_BARS))[before.height :]
    table.note("stale", flat, action="none", detail=f"at least {FLAT_BARS} bars in a row at one price, nothing traded")
    hangs = (moves & same & (length >= HANGING_BARS))[before.height :]
    table.set_aside(
        "stale",
        hangs,
        reason="repeats",
        detail=f"the same five numbers {HANGING_BARS} or more bars in a row: the feed hangs",
    )
