"""A rehearsal of the halt closes everything, says how long that took, and leaves what it did not halt."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.risk.breaker import BreakerState
from evil2root.engine.drilled import DrillResult
from evil2root.engine.drills import Drills, is_flat
from evil2root.engine.errands import HaltFile
from evil2root.engine.trading_desk import TradingDesk
from tests.engine.test_halt_at_once import Notebook, desk_over
from tests.engine.test_outside import a_venue, rules, start_of, told
from tests.fakes.trading import Books, an_engine_outside


class Kept:
    """Results in memory; the first `away` writes find nobody."""

    def __init__(self, away: int = 0) -> None:
        self.results: list[DrillResult] = []
        self._away = away

    async def write(self, result: DrillResult) -> None:
        if self._away:
            self._away -= 1
            msg = "away for this test"
            raise ConnectionError(msg)
        self.results.append(result)


@asynccontextmanager
async def trading(folder: Path) -> AsyncIterator[TradingDesk]:
    frames, venue = told(900), a_venue()
    engine = an_engine_outside(rules(), frames, Books(), venue, start=start_of(frames))
    running = asyncio.create_task(engine.run())
    yield desk_over(engine, HaltFile(folder / "HALT"), Notebook())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def until_held(desk: TradingDesk) -> None:
    async with asyncio.timeout(20):
        while not desk.state.portfolio.positions:  # noqa: ASYNC110 - the state tells it only so
            await asyncio.sleep(0.002)


def drills(desk: TradingDesk, kept: Kept, *, every_s: float = 0.01, patience_s: float = 20.0) -> Drills:
    return Drills(desk=desk, kept=kept, clock=SystemClock(), every_s=every_s, patience_s=patience_s)


async def test_a_drill_closes_everything_measures_it_and_lets_trading_go_on(tmp_path: Path) -> None:
    async with trading(tmp_path) as desk:
        await until_held(desk)
        kept = Kept()

        result = await drills(desk, kept).hold()

        assert result is not None
        assert kept.results == [result]
        assert result.positions >= 1
        assert result.flat_after_s is not None
        assert result.flat_after_s > 0
        assert desk.state.carry.breaker.lets_in
        await until_held(desk)


async def test_what_a_person_halted_meanwhile_stays_halted(tmp_path: Path) -> None:
    async with trading(tmp_path) as desk:
        await until_held(desk)
        drilling = asyncio.create_task(drills(desk, Kept()).hold())
        while desk.state.carry.breaker.lets_in:  # noqa: ASYNC110 - the state tells it only so
            await asyncio.sleep(0.001)

        await desk.halt(by="ann", origin="test", reason="odd prices", cancel=False, flatten=False)
        result = await drilling

        assert result is not None
        assert "halted by ann: odd prices" in result.says
        assert is_flat(desk.state)
        assert desk.state.carry.breaker.state is BreakerState.HALTED


async def test_an_account_that_cannot_be_closed_stays_halted_and_is_told(tmp_path: Path) -> None:
    async with trading(tmp_path) as desk:
        await until_held(desk)

        result = await drills(desk, kept := Kept(), patience_s=1e-6).hold()

        assert result is not None
        assert result.flat_after_s is None
        assert "Not all was closed" in result.says
        assert kept.results == [result]
        assert desk.state.carry.breaker.state is BreakerState.HALTED


async def test_drills_come_again_and_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    async with trading(tmp_path) as desk:
        kept = Kept(away=1)
        running = asyncio.create_task(drills(desk, kept).run())

        async with asyncio.timeout(30):
            while len(kept.results) < 2:  # noqa: ASYNC110 - they are told only so
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert all(r.flat_after_s is not None for r in kept.results)
    assert kept.results[0].began_at < kept.results[1].began_at
