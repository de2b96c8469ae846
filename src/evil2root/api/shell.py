"""The outermost layer: host names, sizes, security headers, and a plain answer when something breaks."""

import secrets
from collections.abc import Iterable
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evil2root.api.edge import BODY_MAX, SECURITY_HEADERS, is_known
from evil2root.api.problems import problem

log = structlog.get_logger(__name__)

STATIC = "/static/"

_STATIC_HEADERS = tuple((name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items())
_HEADERS = (*_STATIC_HEADERS, (b"cache-control", b"no-store"))


class Shell:
    """Wraps the whole application.

    Parameters
    ----------
    hosts
        Names and addresses the app is reached by, beside the loopback ones. A page of another site that has its own
        name point here (DNS rebinding) is refused by it. With `0.0.0.0` or `::` among them any literal address is
        let in: an address can't be rebound, a name can.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no socket of another kind is spoken here
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._http(scope, receive, _with_headers(scope["path"], send))

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        scope.setdefault("state", {})["trace"] = trace = secrets.token_hex(8)
        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                status, detail = refusal
                await problem(scope, status, detail)(scope, receive, watched)
                return
            replay = await buffered(scope, receive)
            if replay is None:
                detail = f"The body is larger than the {BODY_MAX:,} bytes allowed: send less."
                await problem(scope, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)(scope, receive, watched)
                return
            await self._app(scope, replay, watched)
        except ClientDisconnect:
            return
        except Exception as error:
            log.exception("request.failed", trace=trace, method=scope["method"], path=scope["path"])
            if started:
                raise
            detail = f"Something broke here. The log has the cause under {trace}."
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            if isinstance(error, ConnectionError | TimeoutError):
                status = HTTPStatus.SERVICE_UNAVAILABLE
            await problem(scope, status, detail, trace=trace)(scope, receive, watched)

    def _refusal(self, scope: Scope) -> tuple[HTTPStatus, str] | None:
        host = Headers(scope=scope).get("host", "")
        if not is_known(host, self._hosts):
            detail = f"This server is not called {host[:100]!r}: use its own address, or add the name to its hosts."
            return HTTPStatus.MISDIRECTED_REQUEST, detail
        if "\x00" in scope["path"] or b"%00" in scope.get("query_string", b""):
            return HTTPStatus.BAD_REQUEST, "The address holds a zero character: leave it out."
        return None


def _with_headers(path: str, send: Send) -> Send:
    added = _STATIC_HEADERS if path.startswith(STATIC) else _HEADERS

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in added}
            message["headers"] = [*(h for h in message.get("headers", ()) if h[0] not in names), *added]
        await send(message)

    return with_headers


async def buffered(scope: Scope, receive: Receive) -> Receive | None:
    """Read the body and return a `receive` that gives it once more; none when it is too large.

    Requests without a body are left alone: who streams an answer listens on `receive` for the client's going.
    """
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    if "transfer-encoding" not in headers and length == "0":
        return receive
    if length.isdigit() and len(length) < 20 and int(length) > BODY_MAX:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect  # half of what was asked must not be done
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_MAX:
            return None
        if not message.get("more_body", False):
            break
    body = b"".join(parts)
    scope["state"]["body"] = body
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
