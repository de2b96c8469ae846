"""The application: the API, its documentation, its health, and the guard around whatever else is added to it.

Whoever runs it puts these into `app.state`: `desk` (`engine.desk.Desk`), `access` (`engine.access.Access`) and `once`
(`engine.idempotency.Once`). Until they are there, `/readyz` says `starting` and everything else 503.
"""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from evil2root.api import docs_page, metrics
from evil2root.api.deps import PROBLEMS, DeskDep
from evil2root.api.guard import PUBLIC, Guard
from evil2root.api.probes import ALIVE, HEALTH, READINESS, readiness
from evil2root.api.problems import MEDIA_TYPE, PageError, add_problem_handlers
from evil2root.api.routes import book, decisions, market, people, portfolio, reconcile, shapes, sources, status
from evil2root.api.schemas.status import ReadyOut
from evil2root.api.shell import Shell
from evil2root.api.strict import StrictRoute
from evil2root.domain.market.catalogue.registry import TALIB_REGISTRY, Registry
from evil2root.engine.pattern_records import PatternRecords

OPENAPI = "/api/openapi.json"
KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key made by `evil2root apikey create`, `e2r_...`. Pages use their session cookie instead.",
}


class DescribedApp(FastAPI):
    """An application whose description says what stands around its routes: the guard, and the shape of errors."""

    def openapi(self) -> dict[str, Any]:
        """Describe the API: who may ask, and the media type of problems (the framework knows one for all JSON)."""
        described = super().openapi()
        described["components"]["securitySchemes"] = {"key": KEY_SCHEME}
        for path, operations in described["paths"].items():
            for operation in operations.values():
                operation["security"] = [] if path in PUBLIC else [{"key": []}]
                for answer in operation["responses"].values():
                    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
                    if schema.get("$ref", "").endswith("/ProblemOut"):
                        answer["content"] = {MEDIA_TYPE: answer["content"].pop("application/json")}
        return described


def create_app(
    *,
    version: str,
    hosts: Iterable[str] = (),
    secure_cookies: bool = False,
    page_error: PageError | None = None,
    indicators: Registry = TALIB_REGISTRY,
) -> FastAPI:
    """Make the application. Pages and static files are added by the caller; the guard covers them as well.

    Parameters
    ----------
    hosts
        Names and addresses it is reached by, beside the loopback ones; see `Shell`.
    secure_cookies
        True when it is reached by TLS that ends in front of it.
    page_error
        How pages show an error; without it pages answer problem details too.
    indicators
        What `/symbols/{symbol}/indicators` can be asked for by name.
    """
    app = DescribedApp(
        title="EVIL2ROOT",
        summary="A self-hosted trading bot that can explain every step it took.",
        version=version,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.desk = app.state.access = app.state.once = None
    app.state.page_error = page_error
    app.state.indicators = indicators
    app.state.pattern_records = PatternRecords()
    add_problem_handlers(app)
    app.include_router(_around())
    for part in (status, market, shapes, sources, decisions, book, reconcile, portfolio, people):
        app.include_router(part.router, prefix="/api/v1")
    app.add_middleware(Guard, secure_cookies=secure_cookies)
    app.add_middleware(Shell, hosts=tuple(hosts))  # added last: the outermost
    return app


def _around() -> APIRouter:
    """Health, metrics and documentation."""
    router = APIRouter(route_class=StrictRoute)

    @router.get(HEALTH, summary="Is the process alive?", tags=["health"])
    async def healthz() -> dict[str, str]:
        return ALIVE

    @router.get(READINESS, summary="May it trade?", tags=["health"], response_model=ReadyOut,
                responses={503: {"model": ReadyOut, "description": "Not now, and why"}})  # fmt: skip
    async def readyz(request: Request) -> Response:
        code, document = readiness(request.app.state.desk)
        return JSONResponse(document, status_code=code)

    @router.get("/metrics", summary="For Prometheus", tags=["health"],
                response_class=Response,
                responses=PROBLEMS | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})  # fmt: skip
    async def get_metrics(desk: DeskDep) -> Response:
        return Response(metrics.metrics(desk), media_type=metrics.CONTENT_TYPE)

    @router.get("/api/docs", include_in_schema=False)
    async def get_docs(request: Request) -> Response:
        app: FastAPI = request.app
        base_url = str(request.base_url).rstrip("/")
        return HTMLResponse(docs_page.docs_page(app.openapi(), base_url=base_url))

    @router.get("/api/docs.css", include_in_schema=False)
    async def get_docs_style() -> Response:
        return Response(docs_page.CSS, media_type="text/css")

    return router
