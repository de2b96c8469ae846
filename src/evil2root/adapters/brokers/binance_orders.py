"""Our orders in Binance's words, within what it allows in each market.

Facts from Binance's "Filters": prices step by the tick and quantities by the lot, an order has a smallest quantity and
a smallest value; not every market takes plain stops. What does not fit is made to fit on the safe side (quantities are
floored, stops lie nearer to the price), or is not sent at all, and the reason is given.
"""

from decimal import Decimal

from evil2root.adapters.brokers.binance_names import their_name
from evil2root.adapters.brokers.binance_records import Market
from evil2root.domain.book.orders import Order, OrderKind
from evil2root.domain.core.money import down_to, floor_to, up_to
from evil2root.domain.core.side import Side

STOP_ROOM = Decimal("0.05")
"""Where only stop limits are taken, the limit lies this far beyond the stop."""


class Unfit(Exception):  # noqa: N818 - an answer, not a failure
    """The market does not take the order, by its own published rules; it is not sent."""


def request(order: Order, allowed: Market, *, revision: int = 0) -> dict[str, str]:
    """Write the parameters that place what is left of an order. Raises `Unfit`."""
    if not allowed.open:
        msg = f"{allowed.market} is closed"
        raise Unfit(msg)
    quantity = floor_to(order.left, step=allowed.lot)
    if quantity < allowed.least:
        msg = f"{order.left} is less than the smallest quantity {allowed.least} of {allowed.market}"
        raise Unfit(msg)
    asked = {
        "symbol": allowed.market, "side": order.side.value.upper(), "type": "MARKET", "quantity": f"{quantity:f}",
        "newClientOrderId": their_name(order.client_order_id, revision=revision), "newOrderRespType": "RESULT",
    }  # fmt: skip
    if order.kind is OrderKind.STOP and order.price is not None:
        asked |= _stop(order.side, order.price, quantity, allowed)
    return asked


def _stop(side: Side, price: Decimal, quantity: Decimal, allowed: Market) -> dict[str, str]:
    stop = _tighter(side, price, tick=allowed.tick)
    if stop * quantity < allowed.notional:
        msg = f"{quantity} at {stop} is worth less than the smallest value {allowed.notional} of {allowed.market}"
        raise Unfit(msg)
    if "STOP_LOSS" in allowed.takes:
        return {"type": "STOP_LOSS", "stopPrice": f"{stop:f}"}
    if "STOP_LOSS_LIMIT" in allowed.takes:
        limit = stop * (1 + side.sign * STOP_ROOM)
        limit = up_to(limit, step=allowed.tick) if side is Side.BUY else down_to(limit, step=allowed.tick)
        if limit > 0:
            return {"type": "STOP_LOSS_LIMIT", "stopPrice": f"{stop:f}", "price": f"{limit:f}", "timeInForce": "GTC"}
    msg = f"{allowed.market} takes no stops"
    raise Unfit(msg)


def _tighter(side: Side, price: Decimal, *, tick: Decimal) -> Decimal:
    """Round a stop to the tick, towards the price it protects from: it never loosens."""
    return up_to(price, step=tick) if side is Side.SELL else max(down_to(price, step=tick), tick)
