"""Puts the dashboard into the application: its addresses, its static files, its error pages."""

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from evil2root.web import errors
from evil2root.web.curve import Curve
from evil2root.web.render import STATIC
from evil2root.web.routes import ROUTERS

FOREVER = "public, max-age=31536000, immutable"
ASK_FIRST = "no-cache"
"""Without a hash in the address a browser asks each time, and mostly hears 304 by the ETag."""


class HashedFiles(StaticFiles):
    """Static files: for good when the address carries the content's hash, else only after asking."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file with the caching its address allows."""
        response = await super().get_response(path, scope)
        is_hashed = scope.get("query_string", b"").startswith(b"v=")
        response.headers["Cache-Control"] = FOREVER if is_hashed else ASK_FIRST
        return response


def install(app: FastAPI) -> None:
    """Add pages, forms, live events and static files to `app`.

    Wants `app.state.desk` and `app.state.access` before the first request, and `request.state.identity` and
    `request.state.csrf` set by the guard. Whoever stops the app sets `app.state.stopping` first, so that open streams end
    by themselves. Call it after the API has put in its own error handlers: under `/api` those
    stay in force, everywhere else a person gets a page.
    """
    app.state.web_curve = Curve()
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
    app.mount("/static", HashedFiles(directory=STATIC), name="static")
    errors.install(app)
