"""What a step leaves in the memory of the risk rules, and the switch it may trip."""

from dataclasses import replace

from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.money import ZERO
from evil2root.domain.kernel.actions import KeepBreaker, KeepOrder, KeepTrade
from evil2root.domain.kernel.events import Event, FillArrived, OrderAnswered, ResumeAsked
from evil2root.domain.kernel.state import Turn
from evil2root.domain.risk.breaker import Breaker, BreakerState, Cause, tripped
from evil2root.domain.risk.memory import RiskMemory


def remember(turn: Turn, event: Event) -> None:
    """Count losses and rejections after a step, and trip the switch where they reach their limit."""
    before = turn.state.carry.risk
    after = _counted(turn, event, before)
    if after == before:
        return
    turn.carry(risk=after)
    limits = turn.policy.limits
    if limits.losing_streak_max is not None and after.losses >= limits.losing_streak_max:
        trip(turn, Cause.LOSING_STREAK, f"{after.losses} losses in a row reached the limit {limits.losing_streak_max}")
    if limits.rejections_max is not None and after.rejections >= limits.rejections_max:
        why = f"{after.rejections} orders in a row were rejected, the limit is {limits.rejections_max}"
        trip(turn, Cause.REJECTIONS, why)


def _counted(turn: Turn, event: Event, memory: RiskMemory) -> RiskMemory:
    carry = turn.state.carry
    if isinstance(event, ResumeAsked) and any(isinstance(a, KeepBreaker) for a in turn.actions):
        return memory.forgiven(carry.equity, capital=carry.capital)
    if isinstance(event, OrderAnswered | FillArrived):
        rejected = isinstance(event, OrderAnswered) and event.state is OrderState.REJECTED
        if rejected and any(isinstance(a, KeepOrder) for a in turn.actions):
            memory = replace(memory, rejections=memory.rejections + 1)
        elif memory.rejections and not rejected and _is_word_of_the_venue(event):
            memory = replace(memory, rejections=0)
    for action in turn.actions:
        if isinstance(action, KeepTrade) and action.trade.pnl != ZERO:
            memory = replace(memory, losses=memory.losses + 1 if action.trade.pnl < 0 else 0)
    return memory


def _is_word_of_the_venue(event: OrderAnswered | FillArrived) -> bool:
    """Does it show that the broker takes orders?"""
    return isinstance(event, FillArrived) or event.state is OrderState.ACCEPTED


def trip(turn: Turn, cause: Cause, reason: str) -> None:
    """Stop entries, unless they are stopped as firmly already."""
    breaker = tripped(cause, reason, at=turn.at)
    now = turn.state.carry.breaker.state
    if now is BreakerState.ACTIVE or (now is BreakerState.REDUCING and breaker.state is BreakerState.HALTED):
        move(turn, breaker)


def new_day(turn: Turn) -> None:
    """End what ends with a day: the pause, and the counts that caused one."""
    limits, memory = turn.policy.limits, turn.state.carry.risk
    if turn.state.carry.breaker.ends_with_the_day:
        move(turn, Breaker(state=BreakerState.ACTIVE, reason="a new day", by="rule", at=turn.at))
    if limits.losing_streak_max is not None and memory.losses >= limits.losing_streak_max:
        memory = replace(memory, losses=0)
    if limits.rejections_max is not None and memory.rejections >= limits.rejections_max:
        memory = replace(memory, rejections=0)
    if memory != turn.state.carry.risk:
        turn.carry(risk=memory)


def move(turn: Turn, breaker: Breaker) -> None:
    """Move the switch, and write that down."""
    turn.carry(breaker=breaker)
    turn.do(KeepBreaker(breaker=breaker))
