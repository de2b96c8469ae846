"""Error pages: what happened, what it means, where to go on. Programs get problem details instead, from the API."""

from dataclasses import dataclass

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import Response

from evil2root.web import render
from evil2root.web.deps import caller_of, desk_of
from evil2root.web.routes.pages import frame

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """An error in words."""

    status: int
    title: str
    says: str
    trace: str
    """What to look for in the log; empty when the request has none."""


TITLES = {
    400: "That was not understood",
    403: "Not for this account",
    404: "Nothing here",
    405: "Not this way",
    409: "Not as things are now",
    422: "A value does not fit",
    429: "Too often",
    500: "Something broke here",
    503: "Not ready yet",
}
BROKEN = "The page could not be made. The bot goes on by itself; stops and targets stay in force."
GOES_ON = "Nothing was changed by this."


def install(app: FastAPI) -> None:
    """Hand the error page to whoever answers errors."""
    app.state.page_error = error_page


def error_page(request: Request, status: int, says: str) -> Response:
    """Answer a person whose request failed."""
    title = TITLES.get(status, TITLES[500] if status >= 500 else TITLES[400])
    trace = str(getattr(request.state, "trace", "") or "") if status >= 500 else ""
    says = BROKEN if status == 500 else f"{says} {GOES_ON}" if 400 <= status < 500 and status != 404 else says
    view = ErrorView(status=status, title=title, says=says, trace=trace)
    if caller_of(request) is not None and getattr(request.app.state, "desk", None) is not None:
        try:
            around = frame(request, desk_of(request), page="error")
            return render.page(request, "pages/error.html", {"error": view, "shell": around}, status=status)
        except Exception:
            # What broke the page may break its frame too: the bare page needs nothing but the error.
            log.exception("page.frame_failed", path=request.url.path)
    return render.page(request, "pages/error_bare.html", {"error": view}, status=status)
