"""Places among the others of a watchlist: the same live, in a backtest and when a decision is recomputed."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision
from evil2root.domain.signals.inputs import RANK
from evil2root.domain.signals.standing import with_standings
from evil2root.engine.recomputing import recomputed
from evil2root.engine.replay import backtest
from evil2root.engine.series import Series
from tests.engine.test_live_engine import CASH_IN, LateFeed, policy, until_told_all
from tests.fakes.market import market
from tests.fakes.trading import Books, an_engine

SYMBOLS = ("AAPL", "IBM", "MSFT", "GOOG", "SPY", "QQQ")
PRICES = ("open", "high", "low", "close")


@cache
def frames(bars: int) -> dict[str, pl.DataFrame]:
    """Six markets, one of them with gaps and one that starts later."""
    whole = {symbol: market(seed, bars=bars, start=50.0) for seed, symbol in enumerate(SYMBOLS)}
    kept = pl.int_range(pl.len()) % 7 != 3
    return whole | {"IBM": whole["IBM"].filter(kept), "MSFT": whole["MSFT"].slice(bars // 3)}


def the_policy() -> Policy:
    return policy("fusion", list(SYMBOLS))


@cache
def run(bars: int) -> dict[tuple[str, datetime], Decision]:
    kept: dict[str, Decision] = {}
    backtest(the_policy(), frames(bars), cash=CASH_IN, keep=lambda decision: kept.update({decision.id: decision}))
    return {(d.symbol, d.bar.closed_at): d for d in kept.values()}


async def test_live_decisions_know_the_places_of_the_backtest() -> None:
    told, books = frames(420), Books()
    start: datetime = told["AAPL"]["closed_at"][350]

    await until_told_all(await an_engine(the_policy(), told, books, start=start, cash=CASH_IN))

    made = {(d.symbol, d.bar.closed_at): d.features for d in books.decisions.values()}
    assert len(made) > 300
    assert made == {key: run(420)[key].features for key in made}
    assert len({features[RANK] for features in made.values()}) > 5


async def test_a_bar_that_came_late_moves_the_places_of_all() -> None:
    told, books = frames(420), Books()
    start, moment = told["AAPL"]["closed_at"][350], told["AAPL"]["closed_at"][380]
    feed = LateFeed(told, late=("SPY", moment))

    await until_told_all(await an_engine(the_policy(), told, books, start=start, cash=CASH_IN, feed=feed))

    after = {(d.symbol, d.bar.closed_at): d.features for d in books.decisions.values() if d.bar.closed_at > moment}
    assert len(after) > 150
    assert after == {key: run(420)[key].features for key in after}


@dataclass
class Growing:
    """A store of bars; some are missing at first."""

    frames: dict[str, pl.DataFrame]

    async def series(self, symbol: str, interval: Interval, *, until: datetime | None) -> pl.DataFrame:  # noqa: ARG002
        return self.frames[symbol].filter(pl.col("closed_at") <= until)


async def test_whoever_s_place_late_bars_moved_is_computed_anew() -> None:
    whole = frames(420)
    until = whole["AAPL"]["closed_at"][400]
    late = ~pl.int_range(pl.len()).is_between(330, 390)
    lacking = whole | {"SPY": whole["SPY"].filter(late)}
    store = Growing(lacking)
    series = Series(store, symbols=SYMBOLS, compared=SYMBOLS, interval=Interval.D1)
    forgotten: list[set[str]] = []

    async def load(symbols: set[str] | None) -> None:
        await series.load(until, symbols, forget=lambda names: forgotten.append(set(names)))

    await load(None)
    store.frames = whole
    await load({"SPY"})
    await load({"SPY"})

    before, after = (
        with_standings({s: f.filter(pl.col("closed_at") <= until) for s, f in told.items()})
        for told in (lacking, whole)
    )
    moved = {s for s in SYMBOLS if not before[s].equals(after[s])}
    assert forgotten == [set(SYMBOLS), moved, set()]
    assert {"SPY"} < moved


@dataclass
class Stored:
    """Series as they are stored now, and as they were when a bar was."""

    now: dict[str, pl.DataFrame]
    then: dict[str, pl.DataFrame]

    async def find(self, digest: str) -> Policy | None:  # noqa: ARG002
        return the_policy()

    async def window(self, symbol: str, interval: Interval, *, start: datetime, until: datetime) -> pl.DataFrame:  # noqa: ARG002
        return _between(self.now[symbol], start, until)

    async def window_then(
        self, symbol: str, interval: Interval, *, start: datetime, until: datetime, of: tuple[str, datetime]  # noqa: ARG002
    ) -> pl.DataFrame:  # fmt: skip
        return _between(self.then[symbol], start, until)


def _between(frame: pl.DataFrame, start: datetime, until: datetime) -> pl.DataFrame:
    return frame.filter((pl.col("opened_at") >= start) & (pl.col("closed_at") <= until))


def halved(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(*PRICES) / 2)


async def test_a_stored_decision_is_recomputed_with_its_place() -> None:
    told = frames(420)
    made = [run(420)[symbol, told["AAPL"]["closed_at"][400]] for symbol in ("AAPL", "MSFT", "QQQ")]
    books = Stored(now=told, then=told)

    for decision in made:
        assert decision.features[RANK] is not None
        assert (await recomputed(decision, windows=books, policies=books)).identical
        tampered = replace(decision, features={**decision.features, RANK: 0.123})
        found = await recomputed(tampered, windows=books, policies=books)
        assert [d.field for d in found.differences] == [f"features.{RANK}"]


async def test_what_was_known_then_decides_also_of_the_others() -> None:
    told = frames(420)
    at = told["AAPL"]["closed_at"][400]
    decision = max((run(420)[s, at] for s in SYMBOLS if s not in {"IBM", "SPY"}), key=lambda d: d.features[RANK] or 0.0)
    symbol = decision.symbol
    cut = told["AAPL"]["opened_at"][390]
    other = told["SPY"].with_columns(
        pl.when(pl.col("opened_at") > cut - timedelta(days=60)).then(pl.col(*PRICES) * 9).otherwise(pl.col(*PRICES))
    )
    own_restated = told | {symbol: halved(told[symbol])}
    # A split since changed our own prices; another symbol's bars were stored after ours, as an import does.
    later = Stored(now=own_restated, then={s: told[s] if s == symbol else told[s].clear() for s in SYMBOLS})
    # Another symbol's bars were corrected since.
    corrected = Stored(now=told | {"SPY": other}, then=told)
    # They were changed by nobody who says so.
    changed = Stored(now=told | {"SPY": other}, then=told | {"SPY": other})

    assert [(await recomputed(decision, windows=books, policies=books)).identical for books in (later, corrected, changed)] == [
        True, True, False,
    ]  # fmt: skip


async def test_a_decision_made_before_a_bar_of_its_own_came_late_is_recomputed_without_it() -> None:
    whole = frames(420)
    lacking = whole | {"AAPL": whole["AAPL"].filter(pl.int_range(pl.len()) != 380)}
    kept: dict[str, Decision] = {}
    backtest(the_policy(), lacking, cash=CASH_IN, keep=lambda decision: kept.update({decision.id: decision}))
    at = whole["AAPL"]["closed_at"][400]
    (decision,) = [d for d in kept.values() if (d.symbol, d.bar.closed_at) == ("AAPL", at)]
    books = Stored(now=whole, then=lacking)

    assert decision.features[RANK] is not None
    assert (await recomputed(decision, windows=books, policies=books)).identical
