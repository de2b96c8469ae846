"""Rules that hold an answer against what else is known: its currency, what is stored, other sources."""

import numpy as np
import numpy.typing as npt

from evil2root.domain.market.cleaning.levels import events_of, explained_by, told_splits
from evil2root.domain.market.cleaning.shapes import DIVIDENDS, YEAR, named_ratio
from evil2root.domain.market.cleaning.table import Flags, Floats, Table
from evil2root.domain.market.cleaning.values import Known
from evil2root.domain.market.sessions import EPOCH, MICROSECOND, Micros
from evil2root.domain.market.sources import Fetched

QUORUM_FRAC = 0.005
"""How far two sources' closes of one bar may be apart; fees and feeds differ by less, units and splits by more."""
OVERLAP_MIN = 3
"""Bars that must be stored already before an answer as a whole is held against them."""
OTHER_FRAC = 0.5
"""Share of those that may be restated; with more the answer is of something else."""
LAGS = 26
"""Bars by which times may have slipped to be recognised: more than a day of half hours."""

Places = npt.NDArray[np.intp]


def currency(table: Table, fetched: Fetched, known: Known) -> None:
    """Set everything aside when the source says another currency (or its hundredth, as GBp is of GBP)."""
    if fetched.currency is None or known.currency is None or fetched.currency == known.currency:
        return
    table.set_aside(
        "unit", np.ones(len(table), dtype=np.bool_), reason="currency",
        detail=f"prices are told in {fetched.currency[:12]}, but known in {known.currency}",
    )  # fmt: skip


def stored(table: Table, fetched: Fetched, known: Known) -> None:
    """Set everything aside when it is not the series that is stored: other levels, other times, another symbol.

    A source that restates all it ever told because of a split it confirms is believed, and named.
    """
    at = known.stored["opened_at"].to_physical().to_numpy()
    _, mine, theirs = np.intersect1d(table.at, at, assume_unique=True, return_indices=True)
    if len(mine) < OVERLAP_MIN:
        return
    now, before = table.values["close"][mine], known.stored["close"].to_numpy()[theirs]
    apart = np.log(now / before)
    other = np.abs(apart) > QUORUM_FRAC
    if other.mean() <= OTHER_FRAC:
        return
    everything = np.ones(len(table), dtype=np.bool_)
    middle = float(np.median(apart))
    alike = (np.abs(apart - middle) < 10 * QUORUM_FRAC).mean() > OTHER_FRAC
    kind, says = named_ratio(middle) if alike else (None, "")
    if kind == "split" and any(abs(abs(np.log(ratio)) - abs(middle)) < 10 * QUORUM_FRAC for _, ratio in fetched.splits):
        table.note("split", everything, action="adjusted", detail=f"all prices restated {says}, as the source says")
    elif kind is not None:
        word = "unconfirmed split" if kind == "split" else "unit"
        table.set_aside(kind, everything, reason=word, detail=f"prices are {says} of those stored: {word}")
    elif lag := _lag(table.at, table.values["close"], at, known.stored["close"].to_numpy()):
        table.set_aside(
            "outside_session", everything, reason="time zone",
            detail=f"prices are those stored, {abs(lag)} bars {'later' if lag > 0 else 'earlier'}: the time zone slipped",
        )  # fmt: skip
    else:
        table.set_aside(
            "bad_value", everything, reason="other series",
            detail=f"{int(other.sum())} of {len(other)} closes are not those stored: this is not the same series",
        )  # fmt: skip


def _lag(at: Micros, close: Floats, known_at: Micros, known: Floats) -> int:
    """By how many bars the answer's closes must move to be those stored; 0 when they never are."""
    order = np.searchsorted(known_at, at)
    for lag in sorted(range(-LAGS, LAGS + 1), key=abs):
        place = order - lag
        inside = (place >= 0) & (place < len(known))
        if lag and inside.sum() >= OVERLAP_MIN:
            same = np.abs(np.log(close[inside] / known[place[inside]])) < QUORUM_FRAC / 10
            if same.mean() > 0.8:
                return lag
    return 0


def told_beside(table: Table, peer: Fetched, name: str) -> tuple[Places, Floats]:
    """Rows of the table that a peer tells a positive `name` of, and what it tells."""
    at = peer.rows["opened_at"].to_physical()
    value = peer.rows[name].cast(float).fill_null(float("nan")).to_numpy()
    good = ~at.is_null().to_numpy() & np.isfinite(value) & (value > 0)
    times, place = np.unique(at.fill_null(0).to_numpy()[good], return_index=True)
    _, mine, theirs = np.intersect1d(table.at, times, assume_unique=True, return_indices=True)
    return mine, value[good][place][theirs]


def _slipped(table: Table, known: Known, doubted: Flags) -> Flags:
    """Doubted rows that lie a ratio of units off the stored bar before them: no market moves so, they are wrong by themselves.

    Said apart from what sources merely contradict each other about: there each is a voice as good as the other.
    """
    at, close = known.stored["opened_at"].to_physical().to_numpy(), known.stored["close"].to_numpy()
    found = np.zeros(len(table), dtype=np.bool_)
    for row in np.flatnonzero(doubted).tolist():
        place = int(np.searchsorted(at, table.at[row])) - 1
        found[row] = place >= 0 and named_ratio(float(np.log(table.values["close"][row] / close[place])))[0] == "unit"
    return found


def quorum(table: Table, fetched: Fetched, known: Known) -> None:
    """Set aside bars whose close or factor more sources contradict than tell; mark those of which one tells the same.

    Factors that lie apart by splits of which only one of the two has heard yet contradict nothing: adjusted prices come
    a day later from some.
    """
    rows = np.flatnonzero(np.isfinite(table.values["factor"]))
    ours = events_of(table, rows, fetched)
    agree, differ, otherwise = (np.zeros(len(table), np.int64) for _ in range(3))
    age = np.maximum((table.fetched_at - EPOCH) // MICROSECOND - table.at, 0)
    allowed = DIVIDENDS * (1.0 + age / YEAR)  # sources do not agree on what a company that was spun off was worth
    for peer in known.peers:
        if peer.source:
            mine, close = told_beside(table, peer, "close")
            near = np.zeros(len(table), dtype=np.bool_)
            near[mine] = np.abs(np.log(table.values["close"][mine] / close)) <= QUORUM_FRAC
            differ[mine] += ~near[mine]
            mine, factor = told_beside(table, peer, "factor")
            other = np.zeros(len(table), dtype=np.bool_)
            apart, since = np.log(table.values["factor"][mine] / factor), table.at[mine]
            by_ours = explained_by(apart, since, ours, allowed[mine])
            other[mine] = ~(by_ours | explained_by(-apart, since, told_splits(peer), allowed[mine]))
            agree += near & ~other
            otherwise += near & other
    wrong = differ + otherwise > agree
    table.agreed.update(table.at[(agree > 0) & ~wrong].tolist())
    by_close, by_factor = wrong & (otherwise <= differ), wrong & (otherwise > differ)
    slipped = _slipped(table, known, by_close)
    table.set_aside(
        "unit",
        slipped,
        reason="unit",
        detail="prices in another unit than those stored, which other sources contradict",
    )
    by_close, by_factor = by_close[~slipped], by_factor[~slipped]
    by_factor = by_factor[~by_close]
    table.set_aside(
        "spike", by_close, reason="quorum",
        detail=f"closes that other sources contradict by more than {QUORUM_FRAC:.1%}",
    )  # fmt: skip
    table.set_aside(
        "split", by_factor, reason="quorum", detail="adjusting factors that other sources contradict by a split"
    )
