"""The page of the sources."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from evil2root.web.deps import DeskDep
from evil2root.web.regions import guarded
from evil2root.web.routes.pages import answer, frame
from evil2root.web.views.signals import signals_page

router = APIRouter()


@router.get("/signals")
async def signals(request: Request, desk: DeskDep) -> Response:
    """How far can each source be believed?"""
    page = await guarded(signals_page(desk), what="The history could not be read", name="signals")
    return answer(request, "pages/signals.html", frame=frame(request, desk, page="signals"), page=page)
