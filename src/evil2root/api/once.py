"""Requests that move money or start work are carried out once, however often they are sent."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import Depends, Header, Request
from starlette.responses import Response

from evil2root.api.deps import CallerDep
from evil2root.api.problems import MEDIA_TYPE, FieldProblem, Problem, ProblemOut
from evil2root.api.values import Out
from evil2root.engine.idempotency import Again, Asked, Clash, First, Once

log = structlog.get_logger(__name__)

STORE_WAITS_S = 0.2
"""How long a request that must not wait gives the store of keys."""

KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=KEY_PATTERN,
        min_length=1,
        max_length=255,
        description="Your name for this request. Sent again with the same body, it gives the first answer.",
        examples=["close-AAPL-2026-01-05"],
    ),
]


class OnceOnly:
    """One request with its key."""

    def __init__(self, once: Once, asked: Asked) -> None:
        self._once = once
        self._asked = asked

    async def run(self, work: Callable[[], Awaitable[Out]]) -> Response:
        """Carry `work` out unless it was before. A refusal (`Problem`) is an answer too, and is kept."""
        match await self._once.begin(self._asked):
            case Clash(says=says):
                raise Problem(HTTPStatus.CONFLICT, says)
            case Again(status=status, answer=answer):
                return _response(status, answer, again=True)
            case First():
                return await self._first(work)

    async def run_anyway(self, work: Callable[[], Awaitable[Out]]) -> Response:
        """As `run`, but a store that is away keeps nobody from doing it: for what may be done twice without harm."""
        try:
            async with asyncio.timeout(STORE_WAITS_S):
                begun = await self._once.begin(self._asked)
        except Exception as problem:  # noqa: BLE001 - whatever is wrong with the store
            log.warning("idempotency.unanswered", path=self._asked.path, problem=str(problem) or "no answer in time")
            return _response(HTTPStatus.OK, (await work()).model_dump_json(), again=False)
        match begun:
            case Clash(says=says):
                raise Problem(HTTPStatus.CONFLICT, says)
            case Again(status=status, answer=answer):
                return _response(status, answer, again=True)
            case First():
                return await self._first(work)

    async def _first(self, work: Callable[[], Awaitable[Out]]) -> Response:
        path = self._asked.path.partition(" ")[2]
        try:
            answer = (await work()).model_dump_json()
            status = HTTPStatus.OK
        except Problem as refused:
            status = HTTPStatus(refused.status)
            answer = _problem(status, refused.detail, path, field=refused.field)
        except Exception:
            detail = "The first try broke off, and what it did is not known: look at what is there, then use a new key."
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            await self._once.finish(self._asked, status=status, answer=_problem(status, detail, path))
            raise
        await self._once.finish(self._asked, status=status, answer=answer)
        return _response(status, answer, again=False)


async def _once_only(request: Request, caller: CallerDep, key: IdempotencyKey) -> OnceOnly:
    once: Once = request.app.state.once
    path = f"{request.method} {request.url.path}"
    body = request.scope["state"].get("body", b"")
    hashed = hashlib.sha256(body + b"?" + request.scope.get("query_string", b"")).hexdigest()
    return OnceOnly(once, Asked(key=key, actor=caller.name, path=path, body_hash=hashed))


OnceDep = Annotated[OnceOnly, Depends(_once_only)]


def _problem(status: HTTPStatus, detail: str, path: str, *, field: str | None = None) -> str:
    errors = None if field is None else [FieldProblem(field=field, detail=detail)]
    out = ProblemOut(title=status.phrase, status=status, detail=detail, instance=path, errors=errors)
    return out.model_dump_json(exclude_none=True)


def _response(status: int, answer: str, *, again: bool) -> Response:
    headers = {"Idempotency-Replayed": "true"} if again else None
    media_type = "application/json" if status < HTTPStatus.BAD_REQUEST else MEDIA_TYPE
    return Response(answer, status_code=status, media_type=media_type, headers=headers)
