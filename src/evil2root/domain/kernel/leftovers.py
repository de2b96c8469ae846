"""What is left of a position when its exit is over and the rest is worth less than the smallest order.

A venue sells by the lot, and may keep some coins of a purchase as its fee: the rest can't be sold. It would keep the
symbol from every later entry, so it is given back to the owner: booked out at the last price, its trade ended there,
and let be in every comparison with the venue, where it still lies. It counts in exposure like anything let be.
"""

from datetime import datetime

from evil2root.domain.book import ledger
from evil2root.domain.book.orders import Order
from evil2root.domain.core.money import ZERO, Money, Quantity
from evil2root.domain.kernel.actions import KeepEntries, KeepTrade
from evil2root.domain.kernel.adopting import paid_in
from evil2root.domain.kernel.leaving import cancel
from evil2root.domain.kernel.state import Turn


def give_back_leftovers(turn: Turn, over: Order, *, at: datetime) -> None:
    """Give back what an exit that is over has left of its position, when no order could be for so little."""
    position = turn.state.portfolio.positions.get(over.symbol)
    if turn.policy.venue is None or position is None or not over.reduce_only or over.is_open:
        return
    instrument = turn.policy.instruments[over.symbol]
    marks = turn.state.portfolio.marks
    price, rate = marks.get(over.symbol) or over.average_price, turn.policy.rate(over.symbol, marks)
    if price is None or rate is None or position.size * price >= instrument.minimum_notional:
        return
    left = position.quantity
    turn.drop_position(over.symbol)
    entries = ledger.adjusted_units(
        instrument, Quantity(-left), price=price, rate=rate, currency=turn.policy.currency, at=at,
        ref=f"adjust:leftover:{over.client_order_id}",
    )  # fmt: skip
    turn.do(
        KeepEntries(entries=entries), KeepTrade(trade=position.ended(price=price, rate=rate, at=at, reason=over.reason))
    )
    paid_in(turn, Money(-left * price * rate))
    ignored = turn.state.carry.ignored
    turn.carry(ignored={**ignored, over.symbol: ignored.get(over.symbol, ZERO) + left})
    for other in turn.state.of_symbol(over.symbol):
        if other.reduce_only:
            cancel(turn, other, why="the position is closed")
