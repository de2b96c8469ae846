"""What routes ask of a request: the desk, the caller, and their right to do what they ask."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from evil2root.api.problems import Problem, ProblemOut
from evil2root.domain.core.instrument import SYMBOL
from evil2root.domain.market.catalogue.registry import Registry
from evil2root.engine.access import Access, Identity, Role
from evil2root.engine.desk import Desk
from evil2root.engine.pattern_records import PatternRecords
from evil2root.engine.reads import PAGE_MAX

PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": ProblemOut, "description": "The address or the body can't be read"},
    401: {"model": ProblemOut, "description": "Nobody known asks"},
    403: {"model": ProblemOut, "description": "Not with this role, or without the form's token"},
    413: {"model": ProblemOut, "description": "The body is too large"},
    422: {"model": ProblemOut, "description": "A parameter or field is not as it must be"},
    500: {"model": ProblemOut, "description": "Something broke; the log has the cause under `trace`"},
    503: {"model": ProblemOut, "description": "Starting, or the database is away"},
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": ProblemOut, "description": "No such thing"}}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": ProblemOut, "description": "Can't be done as things are"}}


# All of these are coroutines although they wait for nothing: the framework would run plain functions in a thread.


async def _desk(request: Request) -> Desk:
    desk: Desk | None = getattr(request.app.state, "desk", None)
    if desk is None:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "Starting: try again in a moment.")
    return desk


async def _access(request: Request) -> Access:
    access: Access = request.app.state.access  # the guard let nobody in without it
    return access


async def _caller(request: Request) -> Identity:
    identity: Identity | None = request.state.identity
    if identity is None:
        raise Problem(HTTPStatus.UNAUTHORIZED, "Sign in, or send an API key as Authorization: Bearer e2r_...")
    return identity


async def _origin(request: Request) -> str:
    return f"api {request.state.origin}"


async def _indicators(request: Request) -> Registry:
    registry: Registry = request.app.state.indicators
    return registry


async def _pattern_records(request: Request) -> PatternRecords:
    kept: PatternRecords = request.app.state.pattern_records
    return kept


DeskDep = Annotated[Desk, Depends(_desk)]
AccessDep = Annotated[Access, Depends(_access)]
CallerDep = Annotated[Identity, Depends(_caller)]
IndicatorsDep = Annotated[Registry, Depends(_indicators)]
PatternRecordsDep = Annotated[PatternRecords, Depends(_pattern_records)]
OriginDep = Annotated[str, Depends(_origin)]
"""The caller's address, for the audit."""
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="Items a page has at most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before.")]
SymbolQuery = Annotated[
    str | None, Query(pattern=rf"^{SYMBOL.pattern}$", description="Only this symbol.", examples=["AAPL"])
]


def needs(role: Role) -> Callable[[Identity], Awaitable[None]]:
    """Make a dependency that answers 403 to who may not do what asks for `role`."""

    async def check(caller: CallerDep) -> None:
        if not caller.may(role):
            scopes = f" with the scopes {' '.join(sorted(caller.scopes))}" if caller.scopes else ""
            raise Problem(
                HTTPStatus.FORBIDDEN, f"{caller.name} is a {caller.role}{scopes}; this needs the right of a {role}."
            )

    return check


TRADER, ADMIN = Depends(needs(Role.TRADER)), Depends(needs(Role.ADMIN))
"""A viewer's right needs no check: the guard lets nobody in who has not even that."""
