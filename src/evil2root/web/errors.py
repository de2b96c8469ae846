"""Error pages: what happened, what it means, where to go on. Programs under `/api` get their own kind of answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from evil2root.web import render
from evil2root.web.deps import caller_of, desk_of
from evil2root.web.routes.pages import frame

log = structlog.get_logger(__name__)

Handler = Callable[[Request, Any], Response | Awaitable[Response]]

PROGRAMS = ("/api", "/metrics", "/healthz", "/readyz", "/events")
"""Addresses that programs ask; they never get a page."""

TRACE_HEADER = "X-Request-ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """An error in words."""

    status: int
    title: str
    says: str
    trace: str
    """What to look for in the log; empty when the request has none."""


TITLES = {
    400: ("That was not understood", "Something in the address or the form was not as expected. Nothing was changed."),
    401: ("Sign in first", "This page needs someone who is signed in."),
    403: ("Not for this account", "You may not do this. Nothing was changed."),
    404: ("Nothing here", "There is no page or record at this address."),
    405: ("Not this way", "This address takes another kind of request. Nothing was changed."),
    422: ("A value does not fit", "Nothing was changed. Check the fields and try again."),
    429: ("Too often", "Wait a little, then try again."),
    500: ("Something broke here",
          "The page could not be made. The bot goes on by itself; stops and targets stay in force. The log says more."),
    503: ("Not ready yet", "The bot is starting or recovering. Nothing is traded until it is done; try again soon."),
}  # fmt: skip


def install(app: FastAPI) -> None:
    """Put the error pages in; what was there before still answers programs."""
    for kind in (HTTPException, RequestValidationError, Exception):
        before = app.exception_handlers.get(kind)
        app.add_exception_handler(kind, _choosing(before))


def _choosing(before: Handler | None) -> Handler:
    async def handler(request: Request, problem: Exception) -> Response:
        if request.url.path.startswith(PROGRAMS):
            if before is None:
                return PlainTextResponse(str(problem), status_code=_status(problem))
            answer = before(request, problem)
            return await answer if isawaitable(answer) else answer
        return error_page(request, problem)

    return handler


def error_page(request: Request, problem: Exception) -> Response:
    """Answer a person whose request failed."""
    status = _status(problem)
    if status == 401:
        return RedirectResponse(f"/login?next={quote(request.url.path)}", status_code=303)
    title, says = TITLES.get(status, TITLES[500])
    detail = getattr(problem, "detail", "")
    if isinstance(problem, HTTPException) and isinstance(detail, str) and detail and status < 500:
        says = says if detail in {"Not Found", "Method Not Allowed", "Forbidden"} else detail
    if status == 500:
        log.error("page.failed", path=request.url.path, exc_info=problem)
    view = ErrorView(status=status, title=title, says=says, trace=str(getattr(request.state, "trace", "") or ""))
    if caller_of(request) is not None:
        try:
            around = frame(request, desk_of(request), page="error")
            return render.page(request, "pages/error.html", status=status, error=view, shell=around)
        except Exception:
            # What broke the page may break its frame too: the bare page needs nothing but the error.
            log.exception("page.frame_failed", path=request.url.path)
    return render.page(request, "pages/error_bare.html", status=status, error=view)


def _status(problem: Exception) -> int:
    if isinstance(problem, HTTPException):
        return problem.status_code
    return 422 if isinstance(problem, RequestValidationError) else 500
