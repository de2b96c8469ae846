"""Our orders in Alpaca's words.

Facts from Alpaca's "Orders at Alpaca" and "Replace Order by ID": fractions of shares are good for the day only; crypto
takes gtc and ioc, and no plain stops; of a fractional order the price may be changed and the quantity not.
"""

from decimal import Decimal

from evil2root.adapters.brokers.alpaca_records import their_symbol
from evil2root.domain.book.orders import Order, OrderKind

CRYPTO_STOP_ROOM = Decimal("0.05")
"""Crypto has no plain stops there, only stop limits: the limit lies this far beyond the stop."""


def request(order: Order) -> dict[str, str]:
    """Write the body that places an order."""
    crypto = "-" in order.symbol
    whole = order.quantity == order.quantity.to_integral_value()
    body = {
        "symbol": their_symbol(order.symbol), "qty": f"{order.quantity:f}", "side": order.side.value,
        "client_order_id": order.client_order_id, "type": "market",
        "time_in_force": "gtc" if crypto or (whole and order.kind is OrderKind.STOP) else "day",
    }  # fmt: skip
    if order.kind is OrderKind.STOP:
        body |= {"type": "stop_limit" if crypto else "stop", **levels(order)}
    return body


def levels(order: Order) -> dict[str, str]:
    """Where a stop is touched, and for crypto how far it may then slip."""
    if order.price is None:
        return {}
    found = {"stop_price": f"{order.price:f}"}
    if "-" in order.symbol:
        limit = order.price * (1 + order.side.sign * CRYPTO_STOP_ROOM)
        # As fine as the stop itself, and never coarser than four digits: a coin may cost 0.00001.
        step = min(int(order.price.as_tuple().exponent), order.price.adjusted() - 3)
        found["limit_price"] = f"{limit.quantize(Decimal(1).scaleb(step)):f}"
    return found
