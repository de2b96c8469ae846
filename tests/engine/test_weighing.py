"""Other weights while trading: in force from the next decision on, over restarts, and never for what was decided before."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import polars as pl
import pytest
from structlog.testing import capture_logs

from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.market.sources import BarGroup
from evil2root.domain.signals.panel import DEFAULT_WEIGHTS
from evil2root.engine.desk import Phase
from evil2root.engine.leading import UNOPPOSED, Leader, Unopposed
from evil2root.engine.live import Engine
from evil2root.engine.replaying import recompute
from evil2root.engine.weighing import EngineWeighing
from evil2root.engine.weights_kept import WeightChange
from tests.engine.test_live_engine import CASH_IN, OPTIONS
from tests.fakes.market import market
from tests.fakes.trading import Books, ListFeed, an_engine
from tests.fakes.weighing import AT, MemoryWeights

BARS = market(1, bars=312, start=90.0)
CHANGED = 306
"""Bars before the change."""
FIRST, SECOND = (name for name, _ in DEFAULT_WEIGHTS.by_source[:2])
WANTED = {FIRST: 0.0, SECOND: sum(weight for _, weight in DEFAULT_WEIGHTS.by_source[:2])}


def made(options: Mapping[str, str], strategy: str = "fusion") -> Policy:
    return make_policy(
        strategy, {**OPTIONS[strategy], **options}, account="paper", currency="USD", interval=Interval.D1,
        instruments={"AAPL": instrument_for("AAPL")},
    )  # fmt: skip


class Gated(ListFeed):
    """Tells bars up to a place, and the rest when it is let."""

    def __init__(self, bars: pl.DataFrame, *, first: int) -> None:
        super().__init__({"AAPL": bars})
        self.last: datetime = bars["closed_at"][first - 1]
        self.gate = asyncio.Event()

    async def groups(self, after: datetime | None) -> AsyncIterator[BarGroup]:
        async for group in super().groups(after):
            if group.closed_at > self.last:
                await self.gate.wait()
            yield group


def weighing_over(engine: Engine, kept: MemoryWeights, *, leader: Leader = UNOPPOSED) -> EngineWeighing:
    return EngineWeighing(engine=engine, store=kept, made=made, clock=SystemClock(), leader=leader)


@asynccontextmanager
async def running(
    books: Books, kept: MemoryWeights, *, first: int
) -> AsyncIterator[tuple[Engine, Gated, EngineWeighing]]:
    """An engine that has worked through the first bars."""
    feed = Gated(BARS, first=first)
    engine = await an_engine(made({}), feed.frames, books, start=BARS["opened_at"][0], cash=CASH_IN, feed=feed)
    weighing = weighing_over(engine, kept)
    await weighing.load()
    work = asyncio.create_task(engine.run())
    try:
        while engine.performer.state.carry.closed_at != feed.last and not work.done():  # noqa: ASYNC110 - as the pages see it
            await asyncio.sleep(0.001)
        yield engine, feed, weighing
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def told_all(engine: Engine, feed: Gated) -> None:
    feed.gate.set()
    while not engine.finished:  # noqa: ASYNC110 - as the pages see it
        await asyncio.sleep(0.001)


async def test_decisions_before_and_after_a_change_replay_each_under_its_own_weights() -> None:
    books, kept = Books(), MemoryWeights()

    async with running(books, kept, first=CHANGED) as (engine, feed, weighing):
        reply = await weighing.weigh(WANTED, by="ann", origin="api here")
        await told_all(engine, feed)

    assert reply.done
    policies = {made({}).digest: made({})} | {digest: made(options) for digest, options in kept.policies.items()}
    assert len(policies) == 2
    digests = [books.decisions[f"D-{n}"].policy_digest for n in range(1, BARS.height + 1)]
    assert digests == [made({}).digest] * CHANGED + [engine.policy.digest] * (BARS.height - CHANGED)
    for number in (CHANGED - 1, CHANGED, CHANGED + 1, BARS.height):
        stored = books.decisions[f"D-{number}"]
        window = BARS.filter(
            (pl.col("opened_at") >= stored.window_from) & (pl.col("closed_at") <= stored.bar.closed_at)
        )
        heard = any(signal.p_up is not None for signal in stored.sources if signal.source in WANTED)
        assert heard == (number != BARS.height), "where neither speaks, both weights give the same"
        for digest, policy in policies.items():
            assert recompute(stored, window, policy).identical == (digest == stored.policy_digest or not heard)


async def test_a_restart_goes_on_with_the_changed_weights_and_they_can_be_taken_back() -> None:
    books, kept = Books(), MemoryWeights()
    async with running(books, kept, first=3) as (_, _, weighing):
        await weighing.weigh(WANTED, by="ann", origin="api here")

    async with running(books, kept, first=5) as (engine, _, weighing):
        restarted = engine.policy.digest
        assert weighing.newest == kept.changes[-1]
        back = await weighing.weigh(None, by="bob", origin="web here")
        undone = engine.policy.digest

    assert restarted == books.decisions["D-5"].policy_digest == made(dict(kept.policies[restarted])).digest
    assert back.done
    assert undone == made({}).digest != restarted
    assert [line[:2] for line in kept.lines] == [("ann", "api here"), ("bob", "web here")]
    assert kept.lines[0][2:] == (kept.lines[1][3].removesuffix(" (the settings')"), kept.lines[1][2])
    assert kept.changes[-1].weights is None


async def test_what_somebody_else_has_changed_meanwhile_is_not_overwritten() -> None:
    kept = MemoryWeights()
    async with running(Books(), kept, first=1) as (engine, _, weighing):
        first = await weighing.weigh(WANTED, by="ann", origin="t", seen=0)
        in_force = engine.policy.digest
        late = await weighing.weigh({FIRST: 0.05, SECOND: WANTED[SECOND] - 0.05}, by="bob", origin="t", seen=0)
        back = await weighing.weigh(None, by="bob", origin="t", seen=0)
        same = await weighing.weigh(WANTED, by="bob", origin="t", seen=0)
        assert engine.policy.digest == in_force
        aware = await weighing.weigh(None, by="bob", origin="t", seen=kept.changes[-1].number)

    assert [reply.done for reply in (first, late, back, same, aware)] == [True, False, False, True, True]
    assert "ann changed the weights after you looked" in late.says
    assert f"{FIRST} 0, {SECOND} {WANTED[SECOND]:g}" in late.says
    assert len(kept.changes) == 2


async def test_refuses_a_sum_that_is_not_one_and_a_source_that_is_not_there() -> None:
    kept = MemoryWeights()
    async with running(Books(), kept, first=1) as (engine, _, weighing):
        with pytest.raises(ValueError, match=r"sum to 1\.\d+ instead of 1"):
            await weighing.weigh({FIRST: 0.9}, by="ann", origin="t")
        with pytest.raises(ValueError, match="no source moon"):
            await weighing.weigh({"moon": 0.0}, by="ann", origin="t")

        assert engine.policy.digest == made({}).digest
    assert not kept.changes


async def test_what_can_not_be_written_down_is_not_in_force() -> None:
    kept = MemoryWeights(away=True)
    async with running(Books(), kept, first=1) as (engine, _, weighing):
        reply = await weighing.weigh(WANTED, by="ann", origin="t")

        assert not reply.done
        assert "as before" in reply.says
        assert engine.policy.digest == made({}).digest


class LostAnswer(MemoryWeights):
    """Writes a change down, and its answer is lost; perhaps nothing can be asked for a while afterwards."""

    silent = 0

    async def newest(self) -> WeightChange | None:
        if self.silent:
            self.silent -= 1
            msg = "The database is away."
            raise ConnectionError(msg)
        return await super().newest()

    async def keep(self, *args: Any, **named: Any) -> WeightChange:
        await super().keep(*args, **named)
        msg = "The answer was lost."
        raise ConnectionError(msg)


async def test_a_change_whose_answer_is_lost_is_in_force_if_it_was_written() -> None:
    kept = LostAnswer()
    async with running(Books(), kept, first=1) as (engine, _, weighing):
        reply = await weighing.weigh(WANTED, by="ann", origin="t")

        assert reply.done
        assert weighing.newest == kept.changes[-1]
        assert engine.policy.digest in kept.policies


async def test_while_nothing_can_be_asked_the_end_of_a_change_is_unclear_and_said_to_be() -> None:
    kept = LostAnswer()
    async with running(Books(), kept, first=1) as (engine, _, weighing):
        kept.silent = 2
        first = await weighing.weigh(WANTED, by="ann", origin="t")
        second = await weighing.weigh(WANTED, by="ann", origin="t")
        before = engine.policy.digest
        third = await weighing.weigh(WANTED, by="ann", origin="t")

        assert [reply.done for reply in (first, second, third)] == [False, False, True]
        assert "is not known" in first.says
        assert before == made({}).digest != engine.policy.digest
    assert len(kept.changes) == 1


async def test_who_gives_up_waiting_leaves_what_is_written_and_what_decides_the_same() -> None:
    kept = MemoryWeights()
    async with running(Books(), kept, first=1) as (engine, _, weighing):
        async with engine._busy:
            asked = asyncio.create_task(weighing.weigh(WANTED, by="ann", origin="t"))
            await asyncio.sleep(0.01)
            assert not kept.changes, "nothing is written while a bar is worked through"
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        while weighing.newest is None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)

        assert engine.policy.digest in kept.policies
    assert len(kept.changes) == 1


async def test_who_stands_by_shows_the_weights_of_the_leader_and_writes_nothing() -> None:
    kept = MemoryWeights()
    async with running(Books(), kept, first=1) as (engine, _, weighing):
        await weighing.weigh(WANTED, by="ann", origin="t")
        leads = engine.policy.digest
    written = dict(kept.policies)
    kept.policies.clear()
    standby = await an_engine(made({}), {"AAPL": BARS}, Books(), start=BARS["opened_at"][0], cash=CASH_IN)
    other = weighing_over(standby, kept, leader=Unopposed(leads=False))

    await other.look()

    assert standby.policy.digest == leads in written
    assert other.newest == kept.changes[-1]
    assert not kept.policies


async def test_the_same_weights_are_no_new_version() -> None:
    kept = MemoryWeights()
    async with running(Books(), kept, first=1) as (_, _, weighing):
        for asked in (None, dict(DEFAULT_WEIGHTS.by_source), WANTED, WANTED):
            assert (await weighing.weigh(asked, by="ann", origin="t")).done

    assert len(kept.changes) == 1


async def test_only_who_trades_changes_weights() -> None:
    kept = MemoryWeights()
    async with running(Books(), kept, first=1) as (engine, _, weighing):
        other = weighing_over(engine, kept, leader=Unopposed(leads=False))
        assert not (await other.weigh(WANTED, by="ann", origin="t")).done
        engine.phase = Phase.STANDBY
        assert not (await weighing.weigh(WANTED, by="ann", origin="t")).done

    assert not kept.changes


async def test_a_strategy_without_sources_has_nothing_to_weigh() -> None:
    policy = made({}, "buy_hold")
    engine = await an_engine(policy, {"AAPL": BARS}, Books(), start=BARS["opened_at"][0], cash=CASH_IN)
    weighing = EngineWeighing(
        engine=engine, store=MemoryWeights(), made=lambda _: policy, clock=SystemClock(), leader=UNOPPOSED
    )
    await weighing.load()

    reply = await weighing.weigh(WANTED, by="ann", origin="t")

    assert not reply.done
    assert "no sources" in reply.says


async def test_kept_weights_that_no_longer_fit_leave_the_settings_in_force_and_say_so() -> None:
    kept = MemoryWeights(changes=[WeightChange(number=7, at=AT, actor="ann", weights={"gone": 1.0})])
    engine = await an_engine(made({}), {"AAPL": BARS}, Books(), start=BARS["opened_at"][0], cash=CASH_IN)

    weighing = weighing_over(engine, kept)

    with capture_logs() as logged:
        await weighing.load()

    assert weighing.newest is None
    assert [(line["event"], line["number"]) for line in logged] == [("weights.unfit", 7)]
    assert engine.policy.digest == made({}).digest
