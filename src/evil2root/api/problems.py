"""Errors as RFC 9457 problem details, or as a page where a person is looking."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

MEDIA_TYPE = "application/problem+json"

PageError = Callable[[Request, int, str], Response]
"""How the pages show an error: request, status, what happened."""

PROGRAM_PATHS = ("/api", "/metrics", "/events", "/healthz", "/readyz")
"""Programs call these: they get problem details, never a page."""


class FieldProblem(BaseModel):
    """One field that is not as it must be."""

    field: str = Field(examples=["query.limit"])
    detail: str


class ProblemOut(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] | None = None
    """The offending fields, for 422."""
    trace: str | None = None
    """What to look for in the log, for 500."""


class Problem(Exception):  # noqa: N818 - it is the answer, not only an error
    """Raised in a route to answer with a problem."""

    def __init__(
        self, status: int, detail: str, *, field: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.headers = headers


def is_for_programs(path: str) -> bool:
    """Is this path called by programs rather than looked at?"""
    return any(path == p or path.startswith(p + "/") for p in PROGRAM_PATHS)


def problem(  # noqa: PLR0913 - the members of a problem
    scope: Scope,
    status: int,
    detail: str,
    *,
    errors: Sequence[FieldProblem] = (),
    trace: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with a problem; as a page when a person asked and the pages know how."""
    page: PageError | None = getattr(scope["app"].state, "page_error", None) if "app" in scope else None
    if page is not None and not is_for_programs(scope["path"]):
        answer = page(Request(scope), status, detail)
        answer.headers.update(headers or {})
        return answer
    body = ProblemOut(
        title=HTTPStatus(status).phrase, status=status, detail=detail, instance=scope["path"],
        errors=list(errors) or None, trace=trace,
    )  # fmt: skip
    return JSONResponse(
        body.model_dump(exclude_none=True), status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {})
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Make every error of the app a problem."""
    app.add_exception_handler(Problem, _own)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)


def _own(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    fields = () if error.field is None else (FieldProblem(field=error.field, detail=error.detail),)
    return problem(request.scope, error.status, error.detail, errors=fields, headers=error.headers)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = f"There is nothing at {request.url.path}."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.url.path} can't be asked with {request.method}."
    if error.status_code < HTTPStatus.BAD_REQUEST or error.status_code == HTTPStatus.NO_CONTENT:
        return Response(status_code=error.status_code, headers=error.headers)
    return problem(request.scope, error.status_code, detail, headers=error.headers)


def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = [_field(e) for e in error.errors()]
    detail = "; ".join(f"{f.field}: {f.detail}" for f in fields[:3]) or "The request is not as it must be."
    return problem(request.scope, HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=fields)


def _field(error: Mapping[str, Any]) -> FieldProblem:
    """Name the field and what is wrong; what was sent is not repeated, for it may be a password."""
    detail = str(error["msg"])
    if error["type"] == "json_invalid":
        detail = f"The body is no JSON: {error['ctx']['error']}."
    return FieldProblem(field=".".join(str(part) for part in error["loc"])[:200], detail=detail[:500])
