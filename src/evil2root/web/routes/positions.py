"""Positions and orders, and the forms that act on them."""

from decimal import Decimal, InvalidOperation
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response

from evil2root.domain.book.positions import Position
from evil2root.domain.core.money import Price
from evil2root.engine.desk import Desk
from evil2root.web.deps import DeskDep, TraderDep, origin_of
from evil2root.web.notice import answered
from evil2root.web.regions import HOLDINGS, topics_of
from evil2root.web.routes.pages import answer, frame, regions_of
from evil2root.web.views.acting import close_form, guards_form

router = APIRouter()

MOVED_MAX = Decimal("0.01")
"""A price that moved by more than this since the form was shown is shown again before anything is closed."""


@router.get("/positions")
async def positions(request: Request, desk: DeskDep) -> Response:
    """What is on, and what can hurt?"""
    around = frame(request, desk, page="positions", topics=topics_of(HOLDINGS))
    return answer(request, "pages/positions.html", frame=around, regions=await regions_of(request, desk, HOLDINGS))


@router.get("/positions/{symbol:path}/close")
async def ask_close(request: Request, desk: DeskDep, _who: TraderDep, symbol: str) -> Response:
    """Show what closing would do, with the figures of this moment."""
    return _close_page(request, desk, _held(desk, symbol))


@router.post("/positions/{symbol:path}/close")
async def close(  # noqa: PLR0913 - the fields of the form
    request: Request, desk: DeskDep, who: TraderDep, symbol: str,
    part: Annotated[str, Form()] = "all",
    amount: Annotated[str, Form()] = "",
    shown_quantity: Annotated[str, Form()] = "",
    shown_price: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Close all, half or an amount. Figures that moved since they were shown are shown again instead."""
    position = _held(desk, symbol)
    problem = _moved(desk, position, shown_quantity=shown_quantity, shown_price=shown_price)
    if problem:
        return _close_page(request, desk, position, problem=problem, amount=amount, status=409)
    quantity: Decimal | None = None
    if part == "half":
        instrument = desk.policy.instruments[symbol]
        quantity = instrument.quantity(position.size / 2)
    elif part == "amount":
        quantity = _number(amount)
        if quantity is None:
            says = f"{amount[:40]!r} is no amount: write a number as in 12 or 0.5, up to {position.size}."
            return _close_page(request, desk, position, problem=says, amount=amount, status=422)
    reply = await desk.close(symbol, by=who.name, origin=origin_of(request), quantity=quantity)
    if not reply.done and part == "amount":
        return _close_page(request, desk, position, problem=reply.says, amount=amount, status=422)
    return answered(reply, back="/positions")


@router.get("/positions/{symbol:path}/guards")
async def ask_guards(request: Request, desk: DeskDep, _who: TraderDep, symbol: str) -> Response:
    """Show the stop and the target in fields."""
    return _guards_page(request, desk, _held(desk, symbol))


@router.post("/positions/{symbol:path}/guards")
async def move_guards(  # noqa: PLR0913 - the fields of the form
    request: Request, desk: DeskDep, who: TraderDep, symbol: str,
    stop: Annotated[str, Form()] = "",
    target: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Move the stop or the target; the desk refuses a looser stop."""
    position = _held(desk, symbol)
    levels: dict[str, Price | None] = {}
    for name, text, now in (("stop", stop, position.stop), ("target", target, position.target)):
        value = _number(text) if text.strip() else None
        if text.strip() and (value is None or value <= 0):
            says = f"{text[:40]!r} is no {name}: write a price as in 181.40."
            return _guards_page(request, desk, position, problem=says, stop=stop, target=target, status=422)
        levels[name] = None if value is None or value == now else desk.policy.instruments[symbol].price(value)
    reply = await desk.move_guards(
        symbol, by=who.name, origin=origin_of(request), stop=levels["stop"], target=levels["target"]
    )
    if not reply.done:
        return _guards_page(request, desk, position, problem=reply.says, stop=stop, target=target, status=422)
    return answered(reply, back="/positions")


@router.post("/orders/{client_order_id}/cancel")
async def cancel(request: Request, desk: DeskDep, who: TraderDep, client_order_id: str) -> Response:
    """Cancel a working order."""
    reply = await desk.cancel(client_order_id, by=who.name, origin=origin_of(request))
    return answered(reply, back="/positions")


def _held(desk: Desk, symbol: str) -> Position:
    position = desk.state.portfolio.positions.get(symbol)
    if position is None:
        raise HTTPException(404, f"{symbol[:40]!r} is not held now.")
    return position


def _close_page(  # noqa: PLR0913 - the form and what was wrong with it
    request: Request, desk: Desk, position: Position, *, problem: str = "", amount: str = "", status: int = 200
) -> Response:
    around = frame(request, desk, page="positions")
    view = close_form(desk, position, problem=problem, amount=amount[:40])
    return answer(request, "pages/close.html", frame=around, status=status, region="form", c=view)


def _guards_page(  # noqa: PLR0913 - the form and what was wrong with it
    request: Request, desk: Desk, position: Position, *, problem: str = "", stop: str = "", target: str = "",
    status: int = 200,
) -> Response:  # fmt: skip
    around = frame(request, desk, page="positions")
    view = guards_form(desk, position, problem=problem, stop=stop[:40], target=target[:40])
    return answer(request, "pages/guards.html", frame=around, status=status, region="form", g=view)


def _moved(desk: Desk, position: Position, *, shown_quantity: str, shown_price: str) -> str:
    """Say what moved since the form was shown; empty when nothing did.

    A replay runs through days in seconds: there only the quantity counts, or nobody could ever press the button.
    """
    quantity, price = _number(shown_quantity), _number(shown_price)
    if quantity is not None and quantity != position.size:
        return f"The position changed from {quantity} to {position.size} while this form was open. Check it again."
    now = desk.state.portfolio.mark(position)
    if price and not desk.status().feed.is_replay and abs(now / price - 1) > MOVED_MAX:
        return f"The price moved from {price} to {now} while this form was open. Check it again."
    return ""


def _number(text: str) -> Decimal | None:
    """Read a number as people type it; none when it is not one."""
    try:
        value = Decimal(text.strip().replace(",", "").replace("\N{MINUS SIGN}", "-"))
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < Decimal("1e15") else None
