"""Orders, fills, positions and trades, and what a person may do about them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from evil2root.api.deps import (
    CONFLICT,
    NOT_FOUND,
    PROBLEMS,
    TRADER,
    CallerDep,
    Cursor,
    DeskDep,
    Limit,
    OriginDep,
    SymbolQuery,
)
from evil2root.api.once import OnceDep
from evil2root.api.problems import Problem
from evil2root.api.schemas.book import (
    CloseIn,
    FillOut,
    GuardsIn,
    HaltIn,
    OrderDetailOut,
    OrderOut,
    PositionOut,
    ReplyOut,
    ResumeIn,
    TradeOut,
)
from evil2root.api.strict import StrictRoute
from evil2root.api.values import ListOut, page_or_422
from evil2root.domain.book.export import trades_csv
from evil2root.domain.book.positions import Position
from evil2root.domain.core.money import Price
from evil2root.domain.kernel.actions import Reply
from evil2root.engine.desk import Desk

router = APIRouter(route_class=StrictRoute, tags=["book"], responses=PROBLEMS)

OrderId = Annotated[str, Path(max_length=60)]
Symbol = Annotated[str, Path(max_length=60, examples=["AAPL"])]
COMMAND = NOT_FOUND | CONFLICT


@router.get("/orders", summary="Orders, newest first")
async def get_orders(
    desk: DeskDep, symbol: SymbolQuery = None, limit: Limit = 50, cursor: Cursor = None
) -> ListOut[OrderOut]:
    """List all orders, open and final."""
    page = await page_or_422(desk.reads.orders(symbol=symbol, limit=limit, cursor=cursor), cursor=cursor)
    return ListOut[OrderOut].model_validate(page)


@router.get("/orders/{order_id}", summary="An order with its history", responses=NOT_FOUND)
async def get_order(order_id: OrderId, desk: DeskDep) -> OrderDetailOut:
    """Return an order by its client order id."""
    found = await desk.reads.order(order_id)
    if found is None:
        raise _no_order(order_id)
    return OrderDetailOut.of(*found)


@router.delete("/orders/{order_id}", summary="Cancel an order", responses=COMMAND, dependencies=[TRADER])
async def cancel_order(order_id: OrderId, desk: DeskDep, caller: CallerDep, origin: OriginDep) -> ReplyOut:
    """Ask the broker to cancel it. Asking twice does no harm."""
    if await desk.reads.order(order_id) is None:
        raise _no_order(order_id)
    return done(await desk.cancel(order_id, by=caller.name, origin=origin))


@router.get("/fills", summary="Fills, newest first")
async def get_fills(
    desk: DeskDep, symbol: SymbolQuery = None, limit: Limit = 50, cursor: Cursor = None
) -> ListOut[FillOut]:
    """List all executions."""
    page = await page_or_422(desk.reads.fills(symbol=symbol, limit=limit, cursor=cursor), cursor=cursor)
    return ListOut[FillOut].model_validate(page)


@router.get("/positions", summary="What is held")
async def get_positions(desk: DeskDep) -> ListOut[PositionOut]:
    """List the open positions, marked at the last known prices."""
    portfolio = desk.status().portfolio
    return ListOut(items=[PositionOut.of(p, portfolio) for p in portfolio.positions.values()], next=None)


@router.get("/positions/{symbol}", summary="What is held in a symbol", responses=NOT_FOUND)
async def get_position(symbol: Symbol, desk: DeskDep) -> PositionOut:
    """Return one open position."""
    position = _held(desk, symbol)
    return PositionOut.of(position, desk.status().portfolio)


@router.post(
    "/positions/{symbol}/close",
    summary="Close a position",
    responses=COMMAND,
    response_model=ReplyOut,
    dependencies=[TRADER],
)
async def close_position(  # noqa: PLR0913 - each is fetched for it
    symbol: Symbol, desk: DeskDep, caller: CallerDep, origin: OriginDep, once: OnceDep, body: CloseIn | None = None
) -> Response:
    """Close it, or a part of it, at the next open."""

    async def close() -> ReplyOut:
        _held(desk, symbol)
        quantity = None if body is None else body.quantity
        return done(await desk.close(symbol, by=caller.name, origin=origin, quantity=quantity))

    return await once.run(close)


@router.patch(
    "/positions/{symbol}",
    summary="Move a stop or a target",
    responses=COMMAND,
    response_model=ReplyOut,
    dependencies=[TRADER],
)
async def move_guards(  # noqa: PLR0913 - each is fetched for it
    symbol: Symbol, body: GuardsIn, desk: DeskDep, caller: CallerDep, origin: OriginDep, once: OnceDep
) -> Response:
    """Move the guards of a position. A stop only tightens."""

    async def move() -> ReplyOut:
        _held(desk, symbol)
        stop = None if body.stop is None else Price(body.stop)
        target = None if body.target is None else Price(body.target)
        return done(await desk.move_guards(symbol, by=caller.name, origin=origin, stop=stop, target=target))

    return await once.run(move)


@router.get("/trades", summary="Closed round trips, newest first")
async def get_trades(
    desk: DeskDep, symbol: SymbolQuery = None, limit: Limit = 50, cursor: Cursor = None
) -> ListOut[TradeOut]:
    """List closed trades; their results are after fees."""
    page = await page_or_422(desk.reads.trades(symbol=symbol, limit=limit, cursor=cursor), cursor=cursor)
    return ListOut[TradeOut].model_validate(page)


@router.get(
    "/trades.csv",
    summary="Closed round trips as a file, oldest first",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "UTF-8, one line a trade"}
    },
)
async def get_trades_file(desk: DeskDep, symbol: SymbolQuery = None) -> Response:
    """Return all closed trades; no cell can be taken for a formula."""
    text = trades_csv(await desk.reads.all_trades(symbol=symbol))
    headers = {"Content-Disposition": 'attachment; filename="trades.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/halt", summary="Stop entries", responses=CONFLICT, response_model=ReplyOut, dependencies=[TRADER])
async def halt(
    desk: DeskDep, caller: CallerDep, origin: OriginDep, once: OnceDep, body: HaltIn | None = None
) -> Response:
    """Stop entries until a person resumes; stops, targets and exits go on working."""
    asked = body or HaltIn()

    async def stop() -> ReplyOut:
        return done(
            await desk.halt(
                by=caller.name, origin=origin, reason=asked.reason, cancel=asked.cancel, flatten=asked.flatten
            )
        )

    return await once.run_anyway(stop)


@router.post("/resume", summary="End a halt", responses=CONFLICT, response_model=ReplyOut, dependencies=[TRADER])
async def resume(body: ResumeIn, desk: DeskDep, caller: CallerDep, origin: OriginDep, once: OnceDep) -> Response:
    """Allow entries again."""

    async def go_on() -> ReplyOut:
        return done(await desk.resume(by=caller.name, origin=origin, reason=body.reason))

    return await once.run(go_on)


def done(reply: Reply) -> ReplyOut:
    """Take what the desk did; what it would not do is a 409 with its words."""
    if not reply.done:
        raise Problem(HTTPStatus.CONFLICT, reply.says)
    return ReplyOut.model_validate(reply)


def _held(desk: Desk, symbol: str) -> Position:
    position = desk.status().portfolio.positions.get(symbol)
    if position is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"{symbol[:40]!r} is not held.")
    return position


def _no_order(order_id: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"There is no order {order_id!r}: see the list of orders.")
