"""A currency's day begins at 17:00 in New York wherever decisions are made: live, carried, in backtests and replays."""

from functools import cache

import polars as pl

from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.strategies.fusion import Fusion
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.record import Decision
from evil2root.domain.market.days import session_of
from evil2root.domain.signals.higher import NAMES, higher
from evil2root.engine.carrying import Carrier, Newest
from evil2root.engine.observe import bars_of, evidence_at, evidence_series
from evil2root.engine.replay import backtest
from evil2root.engine.replaying import recompute
from tests.engine.test_live_engine import CASH_IN

SYMBOL = "EURUSD=X"


def told(rows: int) -> pl.DataFrame:
    return packaged(Interval.H1)[SYMBOL].adjusted.head(rows)


def newest(frame: pl.DataFrame) -> Newest:
    return Newest(bar=bars_of(frame.tail(1), symbol=SYMBOL, interval=Interval.H1)[0], bars=frame)


def days_seen(frame: pl.DataFrame) -> dict[str, float | None]:
    return higher(frame, interval=Interval.H1, session=session_of(SYMBOL)).row(-1, named=True)


def test_the_same_evidence_alone_in_a_series_and_carried() -> None:
    strategy, rows = Fusion(), 900
    carrier = Carrier(strategy)

    *_, carried = (carrier.evidence([newest(told(count))])[0] for count in range(rows - 3, rows + 1))

    alone = evidence_at(strategy, told(rows), symbol=SYMBOL, interval=Interval.H1, first_index=0)
    series = evidence_series(strategy, told(rows), symbol=SYMBOL, interval=Interval.H1)[-1]
    assert carried == alone == series
    assert {name: alone.features[name] for name in NAMES} == days_seen(told(rows))
    assert alone.features["higher_sma_30"] is not None


@cache
def backtested(rows: int) -> tuple[Policy, tuple[Decision, ...]]:
    rules = make_policy(
        "fusion", {}, account="paper", currency="USD", interval=Interval.H1,
        instruments={SYMBOL: instrument_for(SYMBOL)},
    )  # fmt: skip
    kept: dict[str, Decision] = {}
    backtest(rules, {SYMBOL: told(rows)}, cash=CASH_IN, keep=lambda decision: kept.update({decision.id: decision}))
    return rules, tuple(kept.values())


def test_the_same_in_a_backtest_and_when_a_decision_is_recomputed() -> None:
    rules, made = backtested(420)

    for decision in made[-40::8]:
        window = told(420).filter(pl.col("closed_at") <= decision.bar.closed_at)
        assert {name: decision.features[name] for name in NAMES} == days_seen(window)
        assert recompute(decision, window, rules).identical
