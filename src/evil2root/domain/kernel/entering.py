"""From a proposal that passed its challenge to a sized, judged order, or a refusal."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from evil2root.domain.book.orders import Leg, Order, OrderKind
from evil2root.domain.core.ids import client_order_id
from evil2root.domain.core.money import ONE, ZERO, exact
from evil2root.domain.core.side import Side
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.kernel.leaving import send
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import Turn, entry_notional_left
from evil2root.domain.risk.breaker import Breaker
from evil2root.domain.risk.gate import Approved, judge_entry
from evil2root.domain.risk.sizing import Exposure, Sized, size


def order_or_refuse(turn: Turn, decision: Decision, *, price: Decimal, at_open: bool) -> None:
    """Size and judge the decision's proposal at `price`, then send it or settle why not."""
    frozen = turn.state.carry.frozen.get(decision.symbol)
    if frozen is not None:
        why = f"{decision.symbol} is frozen until a person has looked. {frozen}."
        turn.settle(replace(decision, outcome=Outcome.HALTED, why_not=why))
        return
    exposure = exposure_of(turn, decision, at_open=at_open)
    concluded, approved = conclude(
        decision, price=price, exposure=exposure, breaker=turn.state.carry.breaker, policy=turn.policy, at=turn.at
    )
    turn.settle(concluded)
    if approved is not None:
        send(turn, approved)


def conclude(  # noqa: PLR0913 - each is an input of the arithmetic
    decision: Decision, *, price: Decimal, exposure: Exposure, breaker: Breaker, policy: Policy, at: datetime
) -> tuple[Decision, Approved | None]:
    """Size and judge a proposal: the decision as it ends, and the order if it may be sent. Pure."""
    proposal = decision.proposal
    assert proposal is not None, "only proposals are sized"
    instrument = policy.instruments[decision.symbol]
    factor = ONE if decision.verdict is None else exact(decision.verdict.size_factor, what="The size factor")
    sized = size(
        proposal, price=price, factor=factor, exposure=exposure, method=policy.sizing, limits=policy.limits,
        instrument=instrument,
    )  # fmt: skip
    kept = replace(decision, exposure=exposure, price=price, sizing=sized.lines)
    if sized.quantity == 0:
        binding = next((line.label for line in sized.lines if line.binds), "the size")
        why = f"{binding} leaves less than one lot of {instrument.lot} {decision.symbol}."
        return replace(kept, outcome=Outcome.REFUSED, why_not=why[0].upper() + why[1:]), None
    order = entry_order(decision, proposal, sized, policy=policy, at=at)
    answer = judge_entry(
        order, price=price, exposure=exposure, limits=policy.limits, breaker=breaker, instrument=instrument
    )
    kept = replace(kept, checks=answer.checks)
    if isinstance(answer, Approved):
        done = replace(kept, outcome=Outcome.ORDERED, order_ids=(order.client_order_id,), why_not=None)
        return done, answer
    return replace(kept, outcome=Outcome.REFUSED, why_not=answer.reason), None


def exposure_of(turn: Turn, decision: Decision, *, at_open: bool) -> Exposure:
    """Return the account as the gate sees it: owned plus in flight."""
    state, costs, symbol = turn.state, turn.policy.costs, decision.symbol
    carry, portfolio = state.carry, state.portfolio
    left = entry_notional_left(state.orders.values(), portfolio.marks)
    slippage = costs.slippage_bps / 10_000
    buys = entry_notional_left((o for o in state.orders.values() if o.side is Side.BUY), portfolio.marks)
    held = portfolio.positions.get(symbol)
    owned = abs(held.value(portfolio.mark(held))) if held is not None else ZERO
    has_volume = turn.policy.instruments[symbol].has_volume
    loss = max(ZERO, 1 - portfolio.equity / carry.day_equity) if carry.day_equity > 0 else ZERO
    return Exposure(
        equity=carry.equity,
        cash=portfolio.cash,
        cash_in_flight=sum(buys.values(), ZERO) * (1 + costs.fee_frac + slippage),
        gross=portfolio.gross + sum(left.values(), ZERO),
        symbol=owned + left.get(symbol, ZERO),
        positions=len(set(portfolio.positions) | set(left)),
        day_loss_frac=loss,
        day_volume=exact(decision.bar.volume, what="Volume") if has_volume else None,
        fee_frac=costs.fee_frac,
        slippage_frac=slippage,
        asked_at_open=at_open,
        capital=carry.capital,
    )


def entry_order(decision: Decision, proposal: Proposal, sized: Sized, *, policy: Policy, at: datetime) -> Order:
    """Return the market order that opens the position."""
    name = client_order_id(
        account=policy.account, strategy=policy.strategy.name, symbol=decision.symbol, bar=decision.bar.opened_at,
        leg=Leg.ENTRY.value, attempt=1,
    )  # fmt: skip
    return Order(
        client_order_id=name, decision_id=decision.id, account=policy.account, strategy=policy.strategy.name,
        symbol=decision.symbol, side=proposal.side, kind=OrderKind.MARKET, leg=Leg.ENTRY, quantity=sized.quantity,
        price=None, reduce_only=False, reason="entry", created_at=at, updated_at=at, bar_at=decision.bar.opened_at,
        protect=proposal.protect,
    )  # fmt: skip
