"""One event in, the new state and what to do about it out. Pure: no clock, no wait, no chance."""

from dataclasses import replace
from datetime import datetime

from evil2root.domain.book import ledger
from evil2root.domain.core.money import Money
from evil2root.domain.kernel import adopting, answers, closing, desk, fills, freezing, remembering
from evil2root.domain.kernel.actions import Action, KeepEntries
from evil2root.domain.kernel.events import (
    BarsClosed,
    CancelAsked,
    ChargeArrived,
    CloseAsked,
    Deposited,
    DifferenceSettled,
    Event,
    ExternalSeen,
    FillArrived,
    HaltAsked,
    NotFound,
    OddArrived,
    OrderAdopted,
    OrderAnswered,
    OutcomeConfirmed,
    Restarted,
    ResumeAsked,
    SessionOpened,
    StopMoveAsked,
    ThawAsked,
    VerdictArrived,
)
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.state import State, Turn


def step(  # noqa: C901, PLR0912 - one arm an event
    state: State, event: Event, policy: Policy, *, told_at: datetime | None = None, present: datetime | None = None
) -> tuple[State, tuple[Action, ...]]:
    """Turn the crank once.

    The actions come in the order they must be carried out: what has to be written down first, then what is asked of
    the world. Nothing may be asked before all that was written down is committed.

    `told_at` is the machine's time where the feed's is another: orders to a venue out there are stamped with it.
    `present` is the machine's time where the feed tells of the present: bars that are caught up on are old by it.
    """
    turn = Turn(state, policy, _time(event), told_at=told_at, present=present)
    match event:
        case BarsClosed():
            closing.bars_closed(turn, event)
        case SessionOpened():
            answers.session_opened(turn, event)
        case VerdictArrived():
            answers.verdict_arrived(turn, event)
        case OrderAnswered():
            answers.order_answered(turn, event)
        case FillArrived():
            fills.fill_arrived(turn, event)
        case ChargeArrived():
            fills.charge_arrived(turn, event)
        case NotFound():
            answers.not_found(turn, event)
        case Restarted():
            answers.restarted(turn)
        case Deposited():
            _deposited(turn, event)
        case HaltAsked():
            desk.halt_asked(turn, event)
        case ResumeAsked():
            desk.resume_asked(turn, event)
        case CloseAsked():
            desk.close_asked(turn, event)
        case CancelAsked():
            desk.cancel_asked(turn, event)
        case OddArrived():
            freezing.odd_arrived(turn, event)
        case ExternalSeen():
            freezing.external_seen(turn, event)
        case ThawAsked():
            freezing.thaw_asked(turn, event)
        case OrderAdopted():
            adopting.order_adopted(turn, event)
        case DifferenceSettled():
            adopting.difference_settled(turn, event)
        case OutcomeConfirmed():
            adopting.outcome_confirmed(turn, event)
        case StopMoveAsked():
            desk.stop_move_asked(turn, event)
    remembering.remember(turn, event)
    return turn.state, tuple(turn.actions)


def _time(event: Event) -> datetime:
    return event.fill.at if isinstance(event, FillArrived) else event.at


def _deposited(turn: Turn, event: Deposited) -> None:
    portfolio = turn.state.portfolio
    cash = Money(portfolio.cash + event.amount)
    turn.state = replace(turn.state, portfolio=replace(portfolio, cash=cash))
    carry = turn.state.carry
    equity = Money(carry.equity + event.amount)
    turn.carry(
        capital=Money(carry.capital + event.amount),
        equity=equity,
        day_equity=Money(carry.day_equity + event.amount),
        peak=max(carry.peak, equity),
    )
    turn.do(
        KeepEntries(entries=ledger.deposit(event.amount, currency=turn.policy.currency, at=event.at, ref=event.ref))
    )
