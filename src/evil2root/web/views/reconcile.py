"""Our books beside the broker's, in words and figures."""

from dataclasses import dataclass
from decimal import Decimal

from evil2root.domain.book.ledger import CASH
from evil2root.engine.desk import Desk
from evil2root.engine.differences import Comparison
from evil2root.web import format as f
from evil2root.web.views.common import Badge, Place, SideWord, place_of, side_word


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceRow:
    """One thing both sides say differently."""

    what: str
    ours: str
    theirs: str
    more: str
    """What the broker has more, signed."""
    can_close: bool
    adopting: str
    """What adopting would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerRow:
    """An open order that is not ours."""

    symbol: str
    side: SideWord | None
    left: str
    price: str
    kind: str
    id: str
    since: f.Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtRow:
    """An order of ours whose outcome is unknown."""

    id: str
    symbol: str
    side: SideWord | None
    quantity: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilePage:
    """All of it."""

    verdict: Badge
    says: str
    differences: tuple[DifferenceRow, ...]
    ignored: tuple[tuple[str, str], ...]
    frozen: tuple[tuple[str, str], ...]
    doubtful: tuple[DoubtRow, ...]
    strangers: tuple[StrangerRow, ...]


def reconcile_page(desk: Desk, found: Comparison) -> ReconcilePage:
    """Build the page from a comparison."""
    place = place_of(desk.policy, desk.status().now)
    verdict, says = _verdict(found)
    return ReconcilePage(
        verdict=verdict,
        says=says,
        differences=tuple(_difference(desk, place, d.what, d.ours, d.theirs) for d in found.differences),
        ignored=tuple((what, _amount(place, what, extra)) for what, extra in found.ignored.items()),
        frozen=tuple(found.frozen.items()),
        doubtful=tuple(
            DoubtRow(
                id=o.client_order_id, symbol=o.symbol, side=side_word(o.side), quantity=f.quantity(o.quantity),
                why=o.why_state,
            )
            for o in found.doubtful
        ),
        strangers=tuple(
            StrangerRow(
                symbol=e.symbol, side=side_word(e.side), left="" if e.left is None else f.quantity(e.left),
                price="" if e.price is None else place.price(e.symbol, e.price), kind=e.kind, id=e.broker_order_id,
                since=place.moment(e.created_at),
            )
            for e in found.external
        ),
    )  # fmt: skip


def _verdict(found: Comparison) -> tuple[Badge, str]:
    if found.unsure:
        return Badge(label="Not known just now", tone="warn", glyph="clock"), found.unsure
    if found.differences:
        says = "Nothing is traded until a person has settled each of these. A halt stays until you resume."
        return Badge(label=f.count(len(found.differences), "difference"), tone="bad", glyph="alert"), says
    says = "Cash and every position were compared just now; both sides say the same."
    return Badge(label="Both agree", tone="good", glyph="check"), says


def _difference(desk: Desk, place: Place, what: str, ours: Decimal, theirs: Decimal) -> DifferenceRow:
    more = theirs - ours
    watched = what in desk.policy.instruments
    if what == CASH:
        adopting = f"Books {_amount(place, what, more)} as {'paid in' if more > 0 else 'taken out'}."
    elif watched:
        adopting = f"Books {_amount(place, what, more)} at the last close, as brought in by you."
    else:
        adopting = "It is not on the watchlist: let it be, or add it and start again."
    return DifferenceRow(
        what="Cash" if what == CASH else what, ours=_amount(place, what, ours), theirs=_amount(place, what, theirs),
        more=_amount(place, what, more), can_close=watched and theirs != 0, adopting=adopting,
    )  # fmt: skip


def _amount(place: Place, what: str, amount: Decimal) -> str:
    return place.money(amount) if what == CASH else f.quantity(amount)
