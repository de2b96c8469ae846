"""The forms by which a person acts, with the figures of the moment they are shown."""

from dataclasses import dataclass

from evil2root.domain.book.positions import Position
from evil2root.domain.core.money import ZERO
from evil2root.domain.core.side import Side
from evil2root.engine.desk import Desk
from evil2root.web import format as f
from evil2root.web.views import common
from evil2root.web.views.common import Delta, place_of
from evil2root.web.views.positions import r_now


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseForm:
    """What closing a position would do."""

    symbol: str
    held: str
    all: str
    half: str
    """Empty where half is less than a lot."""
    last: str
    age: str
    proceeds: str
    pnl: Delta
    r: Delta | None
    shown_quantity: str
    shown_price: str
    amount: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardsForm:
    """Stop and target of a position."""

    symbol: str
    held: str
    last: str
    at_risk: str
    tick_worth: str
    stop: str
    target: str
    has_target: bool
    says: str
    problem: str


def _direction(position: Position) -> str:
    return "long" if position.side is Side.BUY else "short"


def close_form(desk: Desk, position: Position, *, problem: str, amount: str) -> CloseForm:
    """Build the form that closes a position."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    mark = desk.state.portfolio.mark(position)
    instrument = desk.policy.instruments[position.symbol]
    half = instrument.quantity(position.size / 2)
    as_of = status.carry.closed_at
    return CloseForm(
        symbol=position.symbol, held=f"{f.quantity(position.size)} {_direction(position)}",
        all=f.quantity(position.size), half=f.quantity(half) if half and half != position.size else "",
        last=place.price(position.symbol, mark),
        age=f"close of {place.stamp(as_of).text}" if as_of is not None else "",
        proceeds=place.money(abs(desk.state.portfolio.value_of(position))),
        pnl=place.gain(desk.state.portfolio.unrealised_of(position)),
        r=common.multiple(r_now(position, mark)), shown_quantity=str(position.size), shown_price=str(mark),
        amount=amount, problem=problem,
    )  # fmt: skip


def guards_form(desk: Desk, position: Position, *, problem: str, stop: str, target: str) -> GuardsForm:
    """Build the form that moves a stop or a target; what was typed stays typed."""
    place = place_of(desk.policy, desk.status().now)
    mark, symbol = desk.state.portfolio.mark(position), position.symbol
    instrument = desk.policy.instruments[symbol]
    risk = ZERO
    if position.stop is not None:
        risk = max(ZERO, position.side.sign * (mark - position.stop) * position.size)
    direction = "up" if position.side is Side.BUY else "down"
    return GuardsForm(
        symbol=symbol, held=f"{f.quantity(position.size)} {_direction(position)}", last=place.price(symbol, mark),
        at_risk=place.money(-risk),
        tick_worth=place.money(instrument.tick * position.size) if instrument.tick is not None else "any price",
        stop=stop or (str(position.stop) if position.stop is not None else ""),
        target=target or (str(position.target) if position.target is not None else ""),
        has_target=position.target is not None,
        says=f"A stop only tightens: it may move {direction}, and not past the last price.", problem=problem,
    )  # fmt: skip
