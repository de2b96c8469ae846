"""The overview."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from evil2root.web.deps import DeskDep
from evil2root.web.regions import OVERVIEW, topics_of
from evil2root.web.routes.pages import answer, frame, regions_of

router = APIRouter()


@router.get("/")
async def overview(request: Request, desk: DeskDep) -> Response:
    """Am I safe, am I ahead, did anything need me today?"""
    around = frame(request, desk, page="overview", topics=topics_of(OVERVIEW))
    return answer(request, "pages/overview.html", frame=around, regions=await regions_of(request, desk, OVERVIEW))
