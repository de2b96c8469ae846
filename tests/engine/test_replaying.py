"""Recomputing stored decisions: identical for all of a long run, and naming whatever was changed."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import polars as pl
import pytest

from evil2root.domain.core.money import Price
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.engine.desk import Recomputed
from evil2root.engine.recomputing import recomputed
from evil2root.engine.replay import backtest
from evil2root.engine.replaying import recompute
from tests.engine.test_live_engine import CASH_IN, frames, policy


@cache
def decisions(strategy: str, bars: int) -> tuple[Policy, dict[str, pl.DataFrame], tuple[Decision, ...]]:
    told = frames(bars)
    rules = policy(strategy, list(told))
    kept: dict[str, Decision] = {}
    backtest(rules, told, cash=CASH_IN, keep=lambda decision: kept.update({decision.id: decision}))
    return rules, told, tuple(kept.values())


def again(decision: Decision, rules: Policy, told: dict[str, pl.DataFrame]) -> Recomputed:
    frame = told[decision.symbol]
    window = frame.filter(
        (pl.col("opened_at") >= decision.window_from) & (pl.col("closed_at") <= decision.bar.closed_at)
    )
    return recompute(decision, window, rules)


@pytest.mark.parametrize(
    ("strategy", "bars"),
    [
        ("fusion", 480),
        ("sma_cross", 120),
        ("buy_hold", 40),
        ("metronome", 60),
        pytest.param("fusion", 800, marks=pytest.mark.long),
    ],
)
def test_is_identical_for_every_decision_of_a_run(strategy: str, bars: int) -> None:
    rules, told, made = decisions(strategy, bars)

    different = {d.id: found.differences for d in made if not (found := again(d, rules, told)).identical}

    assert different == {}
    if strategy == "fusion":
        assert len(made) >= 2.5 * bars
        assert {Outcome.ORDERED, Outcome.REJECTED, Outcome.EXIT_ORDERED, Outcome.BELOW_THRESHOLD} <= {
            d.outcome for d in made
        }


def an_entry() -> tuple[Decision, Policy, dict[str, pl.DataFrame]]:
    rules, told, made = decisions("fusion", 800)
    return next(d for d in made if d.outcome is Outcome.ORDERED), rules, told


@pytest.mark.parametrize("name", ["rsi_14", "atr_14", "sma_200", "obv", "close"])
def test_names_a_changed_feature(name: str) -> None:
    decision, rules, told = an_entry()
    value = decision.features[name]
    assert value is not None
    changed = replace(decision, features={**decision.features, name: value * (1 + 1e-12) + 1e-12})

    found = again(changed, rules, told)

    assert not found.identical
    assert [d.field for d in found.differences] == [f"features.{name}"]


def _tampered(decision: Decision) -> dict[str, Decision]:
    """The decision with one stored thing changed, by the field that must be named."""
    assert decision.view is not None
    assert decision.proposal is not None
    assert decision.verdict is not None
    factor = replace(decision.verdict.factors[0], score=0.123)
    verdict: Any = replace(decision.verdict, factors=(factor, *decision.verdict.factors[1:]))
    line = replace(decision.sizing[0], detail="something else")
    check = replace(decision.checks[0], limit=Decimal(1))
    return {
        "sources.0.reason": replace(
            decision, sources=(replace(decision.sources[0], reason="x"), *decision.sources[1:])
        ),
        "view.p_up": replace(decision, view=replace(decision.view, p_up=0.51)),
        "why": replace(decision, why="because"),
        "wants": replace(decision, wants="stay"),
        "proposal.stop": replace(decision, proposal=replace(decision.proposal, stop=Price(Decimal("0.5"))))
        if decision.proposal.entry > Decimal("0.5") and decision.proposal.side == "buy"
        else replace(decision, proposal=replace(decision.proposal, good_until=decision.at)),
        "verdict.factors.0.score": replace(decision, verdict=verdict),
        "sizing.0.detail": replace(decision, sizing=(line, *decision.sizing[1:])),
        "checks.0.limit": replace(decision, checks=(check, *decision.checks[1:])),
        "outcome": replace(decision, outcome=Outcome.REFUSED),
        "order_ids.0": replace(decision, order_ids=("another",)),
        "bar.close": replace(decision, bar=replace(decision.bar, close=decision.bar.low, high=decision.bar.high)),
    }


def test_names_whatever_else_was_changed() -> None:
    decision, rules, told = an_entry()

    for field, changed in _tampered(decision).items():
        found = again(changed, rules, told)
        named = {d.field for d in found.differences}
        expected = {field} if field != "proposal.stop" else {"proposal.stop", "proposal.good_until"}
        assert named & expected, (field, named)


def test_says_when_the_bar_is_not_stored_any_more() -> None:
    decision, rules, told = an_entry()

    found = recompute(decision, told[decision.symbol].head(10), rules)

    assert [d.field for d in found.differences] == ["bar"]


def test_needs_the_policy_the_decision_was_made_by() -> None:
    decision, rules, told = an_entry()
    other = replace(rules, answer_within=rules.answer_within + timedelta(seconds=1))

    assert not again(decision, other, told).identical


class Restated:
    """Stored bars whose prices were all halved after the decision, and its policy."""

    def __init__(self, rules: Policy, told: dict[str, pl.DataFrame], *, known: bool) -> None:
        self.rules, self.told, self.known = rules, told, known

    async def find(self, digest: str) -> Policy | None:  # noqa: ARG002
        return self.rules

    async def window(self, symbol: str, interval: Interval, *, start: datetime, until: datetime) -> pl.DataFrame:  # noqa: ARG002
        frame = self.told[symbol].filter((pl.col("opened_at") >= start) & (pl.col("closed_at") <= until))
        return frame.with_columns(pl.col("open", "high", "low", "close") / 2)

    async def window_then(
        self, symbol: str, interval: Interval, *, start: datetime, until: datetime, of: tuple[str, datetime]
    ) -> pl.DataFrame:
        then = await self.window(symbol, interval, start=start, until=until)
        assert (symbol, then["opened_at"][-1]) == of
        return then.with_columns(pl.col("open", "high", "low", "close") * 2) if self.known else then


@pytest.mark.parametrize("known", [True, False])
async def test_what_was_restated_since_is_recomputed_from_what_was_known_then(*, known: bool) -> None:
    rules, told, made = decisions("sma_cross", 120)
    books = Restated(rules, told, known=known)

    found = await recomputed(made[-1], windows=books, policies=books)

    assert found.identical == known
