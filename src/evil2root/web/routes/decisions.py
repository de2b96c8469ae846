"""Decisions: the list, one of them explained, and the proof that it comes out the same again."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from evil2root.domain.kernel.record import Decision
from evil2root.engine.desk import Desk
from evil2root.web.deps import DeskDep
from evil2root.web.routes.pages import answer, frame
from evil2root.web.views.decision import RecomputeCard, decision_page, recompute_card
from evil2root.web.views.decisions import GROUPS, Query, list_page

router = APIRouter()


@router.get("/decisions")
async def decisions(request: Request, desk: DeskDep, status: str = "", symbol: str = "", cursor: str = "") -> Response:
    """What did it decide, and why not?"""
    if status not in GROUPS:
        known = ", ".join(word for word in GROUPS if word)
        raise HTTPException(422, f"{status[:40]!r} is no filter; use one of {known}.")
    try:
        page = await list_page(desk, Query(status=status, symbol=symbol[:40], cursor=cursor))
    except ValueError as problem:
        raise HTTPException(422, f"The list can't go on from here: {problem}") from problem
    return answer(request, "pages/decisions.html", frame=frame(request, desk, page="decisions"), page=page)


@router.get("/decisions/{decision_id}")
async def decision(request: Request, desk: DeskDep, decision_id: str) -> Response:
    """Explain this trade, or why there was none."""
    return await _explained(request, desk, await _found(desk, decision_id), None)


@router.post("/decisions/{decision_id}/recompute")
async def recompute(request: Request, desk: DeskDep, decision_id: str) -> Response:
    """Compute a decision again from what was stored, and show what differs. Changes nothing, so a viewer may ask."""
    found = await _found(desk, decision_id)
    result = await desk.recompute(decision_id)
    if result is None:
        raise HTTPException(404, f"There is no decision {decision_id[:40]!r}.")
    return await _explained(request, desk, found, recompute_card(result))


async def _found(desk: Desk, decision_id: str) -> Decision:
    found = await desk.reads.decision(decision_id[:40])
    if found is None:
        raise HTTPException(404, f"There is no decision {decision_id[:40]!r}: they are numbered D-1, D-2 and so on.")
    return found


async def _explained(request: Request, desk: Desk, decision: Decision, recomputed: RecomputeCard | None) -> Response:
    view = await decision_page(desk, decision)
    around = frame(request, desk, page="decision")
    return answer(request, "pages/decision.html", frame=around, d=view, recomputed=recomputed)
