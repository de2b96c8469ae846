"""Closed trades."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from evil2root.web.deps import DeskDep
from evil2root.web.routes.pages import answer, frame
from evil2root.web.views.trades import trades_page

router = APIRouter()

RESULTS = ("", "won", "lost")


@router.get("/trades")
async def trades(
    request: Request, desk: DeskDep, symbol: str = "", result: str = "",
    first: Annotated[int, Query(alias="from", ge=0)] = 0,
) -> Response:  # fmt: skip
    """What worked?"""
    if result not in RESULTS:
        raise HTTPException(422, f"{result[:40]!r} is no filter; use won or lost.")
    page = await trades_page(desk, symbol=symbol[:40], result=result, first=first)
    return answer(request, "pages/trades.html", frame=frame(request, desk, page="trades"), page=page)
