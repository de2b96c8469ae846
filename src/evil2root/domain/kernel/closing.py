"""What happens at the close: marks, trailing stops, and one decision a symbol."""

from dataclasses import replace
from decimal import Decimal

from evil2root.domain.book.orders import Leg, OrderKind
from evil2root.domain.book.portfolio import EquityPoint
from evil2root.domain.book.positions import Position
from evil2root.domain.core.ids import decision_id
from evil2root.domain.core.money import ZERO, Money
from evil2root.domain.core.side import Side
from evil2root.domain.decision.evidence import Evidence, Holding
from evil2root.domain.decision.intent import Enter, Exit, Intent, Stay
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.execution.exits import trailed_stop
from evil2root.domain.kernel.actions import (
    KeepDecision,
    KeepEquity,
    Validate,
)
from evil2root.domain.kernel.entering import order_or_refuse
from evil2root.domain.kernel.events import BarsClosed
from evil2root.domain.kernel.guarding import put_position, watch
from evil2root.domain.kernel.leaving import amend, leave
from evil2root.domain.kernel.overstaying import count_bars, overruled, seen_of
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision, HoldingSeen, Outcome
from evil2root.domain.kernel.remembering import new_day, trip
from evil2root.domain.kernel.state import Turn
from evil2root.domain.risk.breaker import Cause


def bars_closed(turn: Turn, event: BarsClosed) -> None:
    """Mark, guard, then decide."""
    turn.state = replace(turn.state, recent=event.recent)
    _mark(turn, event)
    _roll_day(turn)
    for evidence in event.evidence:
        watch(turn, evidence)
        position = turn.state.portfolio.positions.get(evidence.bar.symbol)
        if position is not None:
            _trail(turn, position, evidence)
    count_bars(turn, event.evidence)
    for evidence in event.evidence:
        if evidence.bar.symbol not in turn.policy.rates:
            _decide(turn, evidence)
    _keep_equity(turn)
    turn.carry(closed_at=event.at)


def _mark(turn: Turn, event: BarsClosed) -> None:
    instruments = turn.policy.instruments
    closes = {e.bar.symbol: instruments[e.bar.symbol].price(e.bar.close) for e in event.evidence}
    portfolio = replace(turn.state.portfolio, marks={**turn.state.portfolio.marks, **closes})
    turn.state = replace(turn.state, portfolio=portfolio)
    turn.carry(marks=portfolio.marks, first_marks={**closes, **turn.state.carry.first_marks})
    if turn.policy.conversions:
        _mark_rates(turn)


def _mark_rates(turn: Turn) -> None:
    """Renew the rates by the closes that are known now; one that can't be told stays what it was last."""
    portfolio, carry = turn.state.portfolio, turn.state.carry
    told = {symbol: one.rate(portfolio.marks) for symbol, one in turn.policy.conversions.items()}
    known = {symbol: rate for symbol, rate in told.items() if rate is not None}
    rates = {**portfolio.rates, **known}
    turn.state = replace(turn.state, portfolio=replace(portfolio, rates=rates))
    begun = {symbol: rate for symbol, rate in known.items() if symbol in carry.first_marks}
    turn.carry(rates=rates, first_rates={**begun, **carry.first_rates})


def _roll_day(turn: Turn) -> None:
    """Start a new day where one began, and stop entries where the day's loss or the drawdown is at its limit."""
    carry = turn.state.carry
    if carry.day != turn.at.date():
        turn.carry(day=turn.at.date(), day_equity=carry.equity)
        new_day(turn)
    equity, limits = turn.state.portfolio.equity, turn.policy.limits
    carry = turn.state.carry
    turn.carry(equity=equity, peak=max(carry.peak, equity), risk=carry.risk.marked(equity, capital=carry.capital))
    loss, fallen = day_loss_frac(turn), turn.state.carry.risk.drawdown(equity)
    if limits.daily_loss_frac is not None and loss >= limits.daily_loss_frac:
        trip(turn, Cause.DAILY_LOSS, f"daily loss {loss:.4f} reached the limit {limits.daily_loss_frac}")
    if limits.drawdown_frac is not None and fallen >= limits.drawdown_frac:
        trip(turn, Cause.DRAWDOWN, f"drawdown {fallen:.4f} reached the limit {limits.drawdown_frac}")


def day_loss_frac(turn: Turn) -> Decimal:
    """Loss since the previous day's close as a share of equity then; never negative."""
    carry = turn.state.carry
    if carry.day_equity <= 0:
        return ZERO
    return max(ZERO, 1 - turn.state.portfolio.equity / carry.day_equity)


def _trail(turn: Turn, position: Position, evidence: Evidence) -> None:
    """Move the stop after the bar: only tighter, from the best price of bars that are over."""
    instrument = turn.policy.instruments[position.symbol]
    is_long = position.side is Side.BUY
    reach = instrument.price(evidence.bar.high if is_long else evidence.bar.low)
    before = position.best_price
    best = reach if before is None else (max(before, reach) if is_long else min(before, reach))
    moved, reason = replace(position, best_price=best), ""
    if position.stop is not None:
        atr = evidence.features.get("atr_14")
        level = trailed_stop(position, best=best, atr=atr, exits=turn.policy.exits, instrument=instrument)
        trailing = position.trailing or (level.stop != position.stop and level.reason == "trailing")
        moved, reason = replace(moved, stop=level.stop, trailing=trailing), level.reason
    if moved == position:
        return
    put_position(turn, moved)
    if moved.stop != position.stop:
        for order in turn.state.of_symbol(position.symbol):
            if order.leg is Leg.STOP and order.kind is OrderKind.STOP and order.is_wanted:
                amend(turn, order, price=moved.stop, reason=reason)


def _decide(turn: Turn, evidence: Evidence) -> None:
    """Ask the strategy, and turn what it wants into a decision record and perhaps an order."""
    policy, symbol = turn.policy, evidence.bar.symbol
    position = turn.state.portfolio.positions.get(symbol)
    seen = seen_of(turn, evidence, position)
    intent = overruled(policy.strategy.intend(evidence, holding_of(position)), seen, policy.exits)
    decision = first_draft(turn, evidence, seen, intent)
    turn.carry(decisions=decision.sequence)
    match intent:
        case Stay():
            turn.do(KeepDecision(decision=decision))
        case Exit():
            assert position is not None, "a strategy asked to leave what is not held"
            leave(turn, decision, position, reason=intent.reason)
        case Enter():
            _enter(turn, decision, evidence, position)


def holding_of(position: Position | None) -> Holding | None:
    """Return what a strategy may know of a position."""
    if position is None:
        return None
    return Holding(quantity=position.quantity, average_price=position.average_price, opened_at=position.opened_at)


def first_draft(turn: Turn, evidence: Evidence, seen: HoldingSeen | None, intent: Intent) -> Decision:
    """Return the decision as far as the strategy's word goes."""
    sequence = turn.state.carry.decisions + 1
    return Decision(
        id=decision_id(sequence),
        sequence=sequence,
        account=turn.policy.account,
        strategy=turn.policy.strategy.name,
        symbol=evidence.bar.symbol,
        interval=evidence.bar.interval,
        at=turn.at,
        bar=evidence.bar,
        number=evidence.number,
        window_from=evidence.window_from,
        features=evidence.features,
        sources=evidence.signals,
        view=evidence.view,
        holding=seen,
        wants={Enter: "enter", Exit: "exit", Stay: "stay"}[type(intent)],
        side=intent.side if isinstance(intent, Enter) else None,
        why=intent.why,
        outcome=Outcome(intent.kind.value) if isinstance(intent, Stay) else Outcome.WAITING,
        why_not=intent.why if isinstance(intent, Stay) else None,
        policy_digest=turn.policy.digest,
        passport=evidence.passport,
    )


def _enter(turn: Turn, decision: Decision, evidence: Evidence, position: Position | None) -> None:
    """Take an entry as far as it goes now: refused, waiting for a verdict or the open, or ordered."""
    breaker = turn.state.carry.breaker
    if position is not None and position.side is not decision.side:
        # Turning round takes two steps: leave now, enter when flat.
        leave(turn, replace(decision, wants="exit"), position)
        return
    why_not = None
    if position is not None:
        why_not = Outcome.HOLDING, f"{decision.symbol} is already held: {position.quantity}."
    elif turn.state.is_entering(decision.symbol):
        why_not = Outcome.WAITING, f"An entry in {decision.symbol} is already under way."
    elif decision.symbol in turn.state.carry.frozen:
        frozen = turn.state.carry.frozen[decision.symbol]
        why_not = Outcome.HALTED, f"{decision.symbol} is frozen until a person has looked. {frozen}."
    elif not breaker.lets_in:
        why_not = Outcome.HALTED, f"Entries are stopped ({breaker.state}): {breaker.reason}."
    if why_not is not None:
        turn.do(KeepDecision(decision=replace(decision, outcome=why_not[0], why_not=why_not[1])))
        return
    proposal = propose(decision, evidence, turn.policy)
    if isinstance(proposal, str):
        turn.do(KeepDecision(decision=replace(decision, outcome=Outcome.REJECTED, why_not=proposal)))
        return
    decision = replace(decision, proposal=proposal)
    if turn.policy.challenge is not None:
        decision = replace(decision, outcome=Outcome.AWAITING_VERDICT, why_not="Waits for its verdict.")
        turn.await_answer(decision)
        turn.do(KeepDecision(decision=decision), Validate(proposal=proposal, evidence=evidence))
    elif turn.policy.size_at_open:
        decision = replace(decision, outcome=Outcome.AWAITING_OPEN, why_not="Sized at the next open.")
        turn.await_answer(decision)
        turn.do(KeepDecision(decision=decision))
    else:
        order_or_refuse(turn, decision, price=proposal.entry, at_open=False)


def propose(decision: Decision, evidence: Evidence, policy: Policy) -> Proposal | str:
    """Cross from floats to prices: the proposal, or why there can be none."""
    assert decision.side is not None, "only entries are proposed"
    instrument = policy.instruments[decision.symbol]
    protect = policy.exits.protect(evidence.features.get("atr_14"))
    if protect is None:
        return "The stop needs ATR(14), which has no value yet."
    entry = instrument.price(evidence.bar.close)
    stop, target = protect.levels(entry, decision.side, instrument)
    if protect.stop is not None and (stop is None or stop == entry):
        return f"A stop {protect.stop} from {entry} is no price {decision.symbol} can trade at."
    if target == entry:
        return f"A target {protect.target} from {entry} is nearer than one tick."
    return Proposal(
        decision_id=decision.id, symbol=decision.symbol, side=decision.side, entry=entry, stop=stop, target=target,
        protect=protect, made_at=decision.at, good_until=decision.at + policy.answer_within,
    )  # fmt: skip


def _keep_equity(turn: Turn) -> None:
    carry, portfolio = turn.state.carry, turn.state.portfolio
    equity = portfolio.equity
    turn.carry(equity=equity, peak=max(carry.peak, equity))
    turn.do(
        KeepEquity(
            point=EquityPoint(
                at=turn.at, cash=portfolio.cash, equity=equity, gross=portfolio.gross,
                peak=turn.state.carry.peak, benchmark=_benchmark(turn),
            )
        )
    )  # fmt: skip


def _benchmark(turn: Turn) -> Money | None:
    """Return the owner's money split equally over the watchlist, each part invested at its symbol's first close."""
    carry, policy = turn.state.carry, turn.policy
    watched = len(policy.instruments) - len(policy.rates)
    begun = {
        s: first for s, first in carry.first_marks.items()
        if s not in policy.rates and (s not in policy.conversions or s in carry.first_rates)
    }  # fmt: skip
    if not begun:
        return None
    part = carry.capital / watched
    grown = (
        part * carry.marks[s] / first * (carry.rates[s] / carry.first_rates[s] if s in policy.conversions else 1)
        for s, first in begun.items()
    )
    return Money(sum(grown, ZERO) + part * (watched - len(begun)))
