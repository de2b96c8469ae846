"""The address of the live stream."""

from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi.responses import Response, StreamingResponse

from evil2root.web.deps import DeskDep, caller_of, csrf_of
from evil2root.web.events import TOPICS, Listener, stream
from evil2root.web.routes.pages import curve_of

router = APIRouter()

HEADERS = {"X-Accel-Buffering": "no"}
"""Keeps a proxy in front from collecting messages before it passes them on."""


@router.get("/events")
async def events(  # noqa: PLR0913 - what the page asks for
    request: Request, desk: DeskDep, topics: str = "", page: str = "overview", symbol: str = "",
    since: Annotated[int | None, Query(ge=0, description="The newest change the page may already show.")] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:  # fmt: skip
    """Tell what changes on the topics asked for, all of them when none is named."""
    asked = frozenset(t for t in topics.split(",") if t)
    if asked - TOPICS:
        known = ", ".join(sorted(TOPICS))
        raise HTTPException(422, f"{', '.join(sorted(asked - TOPICS))[:80]} is no topic; known are {known}.")
    if last_event_id is not None and last_event_id.isdecimal():
        since = int(last_event_id)
    listener = Listener(
        page=page, topics=asked or TOPICS, subject=symbol, identity=caller_of(request), csrf=csrf_of(request)
    )
    state = request.app.state
    told = stream(
        desk, curve_of(request), listener, since=since, is_stopping=lambda: bool(getattr(state, "stopping", False))
    )
    return StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)
