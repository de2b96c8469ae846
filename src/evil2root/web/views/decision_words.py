"""The title and the one sentence of a decision, put together from its facts."""

from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.side import Side
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.engine.reads import Fate
from evil2root.web import format as f
from evil2root.web.views import common
from evil2root.web.views.common import Place

Piece = tuple[str, bool]
"""Some words, and whether they are emphasised."""


def order_state_of(decision: Decision, fate: Fate) -> str | None:
    """State of the decision's first order."""
    order = next((o for o in fate.orders if o.client_order_id in decision.order_ids), None)
    return None if order is None else order.state.value


def title(decision: Decision, fate: Fate, place: Place) -> str:
    """`Buy 45 NVDA at 181.37`, or what was not done."""
    symbol = decision.symbol
    order = next((o for o in fate.orders if o.client_order_id in decision.order_ids), None)
    if order is not None:
        verb = "Buy" if order.side is Side.BUY else "Sell"
        if decision.outcome is Outcome.EXIT_ORDERED:
            verb = "Close"
        if order.average_price is not None:
            return f"{verb} {f.quantity(order.filled)} {symbol} at {place.price(symbol, round(order.average_price, 6))}"
        return f"{verb} {f.quantity(order.quantity)} {symbol} at the next open"
    if decision.side is not None:
        return f"{'Buy' if decision.side is Side.BUY else 'Sell'} {symbol}, not done"
    return f"Stay out of {symbol}" if decision.holding is None else f"Keep {symbol}"


def summary(decision: Decision, fate: Fate, place: Place) -> tuple[Piece, ...]:
    """One sentence or two: what was done, why, and what decided the size."""
    if decision.wants == "stay":
        return _stayed(decision)
    if decision.outcome is Outcome.EXIT_ORDERED:
        held = decision.holding
        size = f"{f.quantity(abs(held.quantity))} {decision.symbol}" if held is not None else decision.symbol
        return (("Closed ", False), (size, True), (" because ", False), (_because(decision.why), True), (".", False))
    pieces = [*_agreement(decision), *_validated(decision), *_sized(decision, fate, place)]
    if not decision.order_ids and decision.why_not:
        pieces += [(" ", False), (common.sentence(decision.why_not), True)]
    return tuple(pieces)


def _because(why: str) -> str:
    text = why.strip().rstrip(".")
    return text[:1].lower() + text[1:]


def _stayed(decision: Decision) -> tuple[Piece, ...]:
    lead = {
        Outcome.WARMING_UP: "Nothing was decided: the indicators still warm up. ",
        Outcome.NO_OPINION: "Nothing was wanted. ",
        Outcome.BELOW_THRESHOLD: "The sources did not agree enough. ",
        Outcome.HOLDING: "The position was kept. ",
        Outcome.WAITING: "Something was already under way. ",
    }.get(decision.outcome, "Nothing was wanted. ")
    return ((lead, False), (common.sentence(decision.why), True))


def _agreement(decision: Decision) -> list[Piece]:
    word = "Bought" if decision.side is Side.BUY else "Sold short"
    if not decision.order_ids:
        word = "A buy was wanted" if decision.side is Side.BUY else "A short sale was wanted"
    view = decision.view
    if view is None:
        return [(f"{word} because ", False), (_because(decision.why), True)]
    return [
        (f"{word} because ", False),
        (f"{view.agreeing} of {view.speaking} speaking sources agreed", True),
        (" (fused ", False),
        (f.num(view.score, 2, plus=True), True),
        (f", P(up) {f.num(view.p_up)})", False),
    ]


def _validated(decision: Decision) -> list[Piece]:
    verdict = decision.verdict
    if verdict is None:
        return []
    word = "rejected it" if verdict.size_factor == 0 else "passed it"
    return [("; the rules ", False), (f"{word} with confidence {f.num(verdict.confidence)}", True)]


def _sized(decision: Decision, fate: Fate, place: Place) -> list[Piece]:
    if not decision.order_ids or not decision.sizing:
        return [(".", False)]
    size = decision.sizing[-1].quantity
    wish = next((line.quantity for line in decision.sizing if line.quantity is not None), None)
    binding = next((line.label for line in decision.sizing if line.binds), None)
    pieces: list[Piece] = []
    if size is not None:
        cut = wish is not None and binding is not None and wish > size
        if cut and wish is not None:
            pieces += [
                (f", and the size was cut from {f.num(wish, 1)} to ", False),
                (f"{f.quantity(size)} units", True),
            ]
            pieces += [(", where ", False), (f"the {str(binding).lower()}", True), (" binds", False)]
        else:
            pieces += [(", and the size came to ", False), (f"{f.quantity(size)} units", True)]
    pieces.append((".", False))
    return pieces + _risk(decision, fate, place)


def _risk(decision: Decision, fate: Fate, place: Place) -> list[Piece]:
    proposal, exposure = decision.proposal, decision.exposure
    order = next((o for o in fate.orders if o.client_order_id in decision.order_ids), None)
    if proposal is None or proposal.risk_per_unit is None or exposure is None or order is None:
        return []
    units = order.filled if order.state is OrderState.FILLED else order.quantity
    risk = proposal.risk_per_unit * units
    share = f", {f.pct(risk / exposure.equity)} of equity." if exposure.equity > 0 else "."
    return [(" Risk at the stop: ", False), (place.money(risk), True), (share, False)]
