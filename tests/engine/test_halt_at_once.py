"""A halt holds from its first instant, whatever else is broken."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.risk.breaker import BreakerState
from evil2root.engine.errands import OURS, HaltFile
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
        facts=facts, settings=dict, halt_file=halt_file,
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
    assert halt_file.path.read_text().startswith(OURS)
