"""A halt holds from its first instant, whatever else is broken."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.kernel.actions import Keep, KeepBreaker
from evil2root.domain.kernel.state import Carry
from evil2root.domain.risk.breaker import BreakerState
from evil2root.engine.desk import Phase
from evil2root.engine.errands import OURS, Errands, HaltFile, Request
from evil2root.engine.live import Engine
from evil2root.engine.trading_desk import Facts, TradingDesk
from tests.engine.test_outside import a_venue, rules, start_of, told
from tests.fakes.trading import Books, MemoryJournal, an_engine_outside

REPLY_WITHIN_S = 1.0


class Notebook:
    """An audit log in memory; away while it is told so."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.away = False

    async def write(self, **line: Any) -> None:
        if self.away:
            msg = "the audit log is away"
            raise ConnectionError(msg)
        self.lines.append(f"{line['actor']} {line['action']} {line['after']}")


def desk_over(engine: Engine, halt_file: HaltFile, audit: Notebook) -> TradingDesk:
    clock = SystemClock()
    facts = Facts(
        mode="paper", broker="fake", simulated=True, started_at=datetime(2026, 1, 1, tzinfo=UTC), version="0",
        feed_source="replay", feed_origin="", feed_speed=None, feed_total=None, shown=lambda _: 0,
    )  # fmt: skip
    nothing = cast("Any", None)
    return TradingDesk(
        engine=engine, reads=nothing, windows=nothing, policies=nothing, audit=audit, clock=clock, machine_clock=clock,
        facts=facts, settings=dict, halt_file=halt_file, weighing=nothing,
    )  # fmt: skip


async def halted(desk: TradingDesk) -> tuple[bool, str, float]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    reply = await desk.halt(by="ann", origin="test", reason="odd prices", cancel=False, flatten=False)
    return reply.done, reply.says, loop.time() - began


@pytest.fixture
def halt_file(tmp_path: Path) -> HaltFile:
    return HaltFile(tmp_path / "HALT")


async def test_a_halt_is_written_by_the_engine_when_it_answers(halt_file: HaltFile) -> None:
    frames, venue, audit = told(30), a_venue(), Notebook()
    engine = an_engine_outside(rules(), frames, Books(), venue, start=start_of(frames))
    running = asyncio.create_task(engine.run())
    desk = desk_over(engine, halt_file, audit)
    while len(venue.kept.placed) < 2:  # noqa: ASYNC110 - the venue tells it only so
        await asyncio.sleep(0.002)

    done, _, _ = await halted(desk)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert done
    assert engine.performer.state.carry.breaker.state is BreakerState.HALTED
    assert not halt_file.present()
    assert audit.lines[0].startswith("ann halt pause: odd prices")


async def test_a_halt_holds_within_a_second_while_the_database_is_away(
    halt_file: HaltFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, venue, audit, books = told(60), a_venue(), Notebook(), Books()
    monkeypatch.setattr("evil2root.engine.perform.RETRY_FIRST_S", 0.01)
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))
    running = asyncio.create_task(engine.run())
    desk = desk_over(engine, halt_file, audit)
    while len(venue.kept.placed) < 2:  # noqa: ASYNC110 - the venue tells it only so
        await asyncio.sleep(0.002)
    journal = cast("MemoryJournal", engine._ports.journal)
    journal.away, audit.away = 10_000, True
    await asyncio.sleep(0.05)
    sent = list(venue.submits)

    done, says, took = await halted(desk)
    journal.away, audit.away = 0, False
    await asyncio.sleep(0.2)
    entries = [n for n in venue.submits if n not in sent and books.orders[n].leg == "entry"]
    resumed = await desk.resume(by="ann", origin="test", reason="all is well")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert done
    assert "HALT" in says
    assert took < REPLY_WITHIN_S
    assert not entries
    assert resumed.done
    assert not halt_file.present()


async def test_a_file_that_a_person_put_there_is_theirs_to_remove(halt_file: HaltFile) -> None:
    frames = told(14)
    engine = an_engine_outside(rules(), frames, Books(), a_venue(), start=start_of(frames))
    desk = desk_over(engine, halt_file, Notebook())
    halt_file.path.write_text("touched by hand\n")

    reply = await desk.resume(by="ann", origin="test", reason="let us go on")

    assert not reply.done
    assert "remove it first" in reply.says
    assert halt_file.present()
    halt_file.write("x")
    assert halt_file.path.read_text() == "touched by hand\n"
    halt_file.path.unlink()
    halt_file.write("x")
    assert halt_file.path.read_text().startswith(OURS)


async def test_a_halt_that_comes_while_a_resume_is_written_holds_from_its_first_instant(
    halt_file: HaltFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evil2root.engine.trading_desk.HALT_WITHIN_S", 20.0)  # however busy the machine
    frames = told(14)
    engine = an_engine_outside(rules(), frames, Books(), a_venue(), start=start_of(frames))
    running = asyncio.create_task(engine.run())
    desk = desk_over(engine, halt_file, Notebook())
    await until(lambda: engine.finished)
    await halted(desk)
    journal, held = cast("MemoryJournal", engine._ports.journal), asyncio.Event()
    commit, waits = journal.commit, asyncio.Event()
    seen: list[str] = []

    async def slow(keeps: Sequence[Keep], carry: Carry) -> None:
        if any(isinstance(one, KeepBreaker) for one in keeps):  # the venue's news go by
            seen.append(engine.halted_now)
            waits.set()
            await held.wait()
        await commit(keeps, carry)

    journal.commit = slow  # type: ignore[method-assign]
    resuming = asyncio.create_task(desk.resume(by="ann", origin="test", reason="all is well"))
    await waits.wait()
    halting = asyncio.create_task(desk.halt(by="bob", origin="test", reason="not so", cancel=False, flatten=False))
    await asyncio.sleep(0)
    held.set()
    await asyncio.gather(resuming, halting)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert seen == ["", "halted by bob: not so"]
    assert not engine.halted_now
    assert engine.performer.state.carry.breaker.state is BreakerState.HALTED


async def test_nobody_resumes_over_books_that_differ(halt_file: HaltFile) -> None:
    frames, venue, books = told(14), a_venue(), Books()
    venue.kept.positions["AAPL"] = Decimal(3)
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))
    running = asyncio.create_task(engine.run())
    desk = desk_over(engine, halt_file, Notebook())
    await until(lambda: engine.phase is Phase.DIVERGED)

    reply = await desk.resume(by="ann", origin="test", reason="let us go on")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert not reply.done
    assert "Settle that first" in reply.says
    assert not engine.performer.state.carry.breaker.lets_in


async def test_a_request_that_nobody_can_read_is_refused_and_ends_nothing(halt_file: HaltFile) -> None:
    class Queue:
        said: ClassVar[list[str]] = []
        left: ClassVar[list[Request]] = [Request(id="1", kind="settle", payload={"how": "somehow"}, by="ann")]

        async def take_open(self) -> list[Request]:
            await asyncio.sleep(0.001)
            taken, self.left[:] = list(self.left), []
            return taken

        async def answer(self, request_id: str, *, done: bool, says: str) -> None:
            assert (request_id, done) == ("1", False)
            self.said.append(says)

    frames = told(14)
    desk = desk_over(
        an_engine_outside(rules(), frames, Books(), a_venue(), start=start_of(frames)), halt_file, Notebook()
    )
    running = asyncio.create_task(Errands(desk=desk, queue=Queue(), halt_file=halt_file).run())
    await until(lambda: running.done() or bool(Queue.said))

    assert "can't be read" in Queue.said[0]
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - many things can make it true
            await asyncio.sleep(0.002)
