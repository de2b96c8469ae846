"""The time stop: positions that have been held long enough without getting anywhere."""

from collections.abc import Sequence
from dataclasses import replace

from evil2root.domain.book.positions import Position
from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.decision.intent import Exit, Intent, Stay
from evil2root.domain.execution.exits import Exits, reached_r, time_is_up
from evil2root.domain.kernel.record import HoldingSeen
from evil2root.domain.kernel.state import Turn
from evil2root.domain.risk.memory import Begun


def count_bars(turn: Turn, evidence: Sequence[Evidence]) -> None:
    """Remember the bar at which each position was first held, and forget those that are gone."""
    if turn.policy.exits.time_stop_bars is None:
        return
    positions, memory = turn.state.portfolio.positions, turn.state.carry.risk
    begun = {s: b for s, b in memory.begun.items() if s in positions and positions[s].opened_at == b.opened_at}
    for one in evidence:
        position = positions.get(one.bar.symbol)
        if position is not None and position.symbol not in begun:
            begun[position.symbol] = Begun(opened_at=position.opened_at, number=one.number)
    if begun != memory.begun:
        turn.carry(risk=replace(memory, begun=begun))


def seen_of(turn: Turn, evidence: Evidence, position: Position | None) -> HoldingSeen | None:
    """Return what the decision record keeps of a position."""
    if position is None:
        return None
    seen = HoldingSeen(quantity=position.quantity, average_price=position.average_price, opened_at=position.opened_at)
    begun = turn.state.carry.risk.begun.get(position.symbol)
    if begun is None or position.best_price is None:
        return seen
    bars = evidence.number - begun.number + 1
    return replace(seen, bars=bars, reached_r=reached_r(position, best=position.best_price))


def overruled(intent: Intent, seen: HoldingSeen | None, exits: Exits) -> Intent:
    """Return the strategy's word, or an exit where it would stay and the time is up."""
    why = None if seen is None else time_is_up(seen.bars, seen.reached_r, exits)
    return Exit(why=why, reason="time") if isinstance(intent, Stay) and why is not None else intent
