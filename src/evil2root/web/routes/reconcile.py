"""Our books beside the broker's, and the forms that settle what differs."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response

from evil2root.domain.kernel.actions import Reply
from evil2root.domain.kernel.events import Settle
from evil2root.web.deps import DeskDep, TraderDep, origin_of
from evil2root.web.notice import answered
from evil2root.web.routes.halting import short_reason
from evil2root.web.routes.pages import answer, frame
from evil2root.web.views.reconcile import reconcile_page

router = APIRouter()

BACK = "/reconcile"
WHY = Reply(done=False, says="Say why, for the audit log: nothing was changed.")


@router.get("/reconcile")
async def show(request: Request, desk: DeskDep) -> Response:
    """Do both sides agree?"""
    found = await desk.reconciling.compare()
    around = frame(request, desk, page="reconcile")
    return answer(request, "pages/reconcile.html", frame=around, page=reconcile_page(desk, found))


@router.post("/reconcile")
async def settle(  # noqa: PLR0913 - the fields of the form
    request: Request, desk: DeskDep, who: TraderDep, what: Annotated[str, Form()] = "",
    how: Annotated[str, Form()] = "", reason: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Do about one difference what was chosen."""
    if how not in {one.value for one in Settle}:
        raise HTTPException(422, f"{how[:40]!r} is no way to settle; use one of {', '.join(Settle)}.")
    why = short_reason(reason)
    reply = WHY
    if why:
        reply = await desk.reconciling.settle(what, Settle(how), by=who.name, origin=origin_of(request), reason=why)
    return answered(reply, back=BACK)


@router.post("/symbols/{symbol:path}/thaw")
async def thaw(
    request: Request, desk: DeskDep, who: TraderDep, symbol: str, reason: Annotated[str, Form()] = ""
) -> Response:
    """Let entries into a symbol again."""
    why = short_reason(reason)
    reply = WHY
    if why:
        reply = await desk.reconciling.thaw(symbol, by=who.name, origin=origin_of(request), reason=why)
    return answered(reply, back=BACK)


@router.post("/orders/{client_order_id}/confirm")
async def confirm(  # noqa: PLR0913 - the fields of the form
    request: Request, desk: DeskDep, who: TraderDep, client_order_id: str, placed: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Say whether an order of unknown outcome is at the broker."""
    if placed not in ("yes", "no"):
        raise HTTPException(422, f"{placed[:40]!r} is no answer; use yes or no.")
    why = short_reason(reason)
    reply = WHY
    if why:
        reply = await desk.reconciling.confirm(
            client_order_id, placed=placed == "yes", by=who.name, origin=origin_of(request), reason=why
        )
    return answered(reply, back=BACK)
