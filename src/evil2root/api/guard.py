"""Nobody gets in unless they show who they are; nothing is changed by a form of another site."""

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from typing import NoReturn
from urllib.parse import parse_qs, quote

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evil2root.api.probes import HEALTH, READINESS
from evil2root.api.problems import Problem, is_for_programs, problem
from evil2root.api.shell import STATIC
from evil2root.engine.access import PRE_COOKIE, SESSION_COOKIE, Access, Identity

log = structlog.get_logger()

PUBLIC = frozenset({"/login", HEALTH, READINESS})
"""The only paths besides static files that need nobody. Everything else, also what is added later, does."""
LOGIN = "/login"
HALTS = frozenset({"/halt", "/api/v1/halt"})
"""What must work while the database is away."""
HALT_WAITS_S = 0.2
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER, CSRF_FIELD = "x-csrf-token", "csrf_token"
COOKIE_MAX = 8_192
"""Characters of the cookie header that are looked at."""
PRE_COOKIE_AGE_S = 3_600


class Guard:
    """Finds out who asks, and lets through who may.

    Sets `request.state.identity` (none on public paths), `request.state.csrf` (what forms carry), `request.state.origin`
    (the caller's address) and `request.state.secure` (may cookies ask for TLS?).

    A state-changing request that comes with a cookie carries the token of that cookie, in the header `X-CSRF-Token` or
    in the field `csrf_token` of a urlencoded form. On `/login` nobody has a session yet: the guard gives a cookie
    `e2r_pre` with the page, and the token belongs to that one. A bearer key needs none: no browser sends it by itself.
    """

    def __init__(self, app: ASGIApp, *, secure_cookies: bool) -> None:
        self._app = app
        self._secure = secure_cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        client = scope.get("client")
        secure = self._secure or scope.get("scheme") == "https"
        state |= {"identity": None, "csrf": "", "origin": client[0] if client else "local", "secure": secure}
        if scope["path"].startswith(STATIC) or scope["path"] in {HEALTH, READINESS}:
            await self._app(scope, receive, send)
            return
        try:
            sender = await self._admit(scope, send)
        except Problem as refused:
            answer = self._refused(scope, refused)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, sender)

    async def _admit(self, scope: Scope, send: Send) -> Send:
        """Set the request's state, or raise `Problem`. Returns the `send` to go on with."""
        access: Access | None = getattr(scope["app"].state, "access", None)
        if access is None:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "Starting: nobody can be let in yet. Try again in a moment.")
        headers = Headers(scope=scope)
        state = scope["state"]
        bearer = headers.get("authorization")
        if bearer is not None:
            raw = bearer.partition(" ")[2].strip()
            state["identity"] = await _or_seen(scope, _by_key(access, bearer), access.seen_lately(raw))
            return send
        cookies = cookie_parser(headers.get("cookie", "")[:COOKIE_MAX])
        token = cookies.get(SESSION_COOKIE, "")
        identity = await _or_seen(scope, access.session(token), access.seen_lately(token)) if token else None
        state["identity"] = identity
        if identity is None and scope["path"] not in PUBLIC:
            raise Problem(HTTPStatus.UNAUTHORIZED, "Sign in, or send an API key as Authorization: Bearer e2r_...")
        if identity is None:
            token, send = self._before_sign_in(access, cookies.get(PRE_COOKIE, ""), scope, send)
        state["csrf"] = access.csrf(token)
        if scope["method"] not in SAFE_METHODS:
            _require_own_form(access, scope, headers, token)
        return send

    def _before_sign_in(self, access: Access, known: str, scope: Scope, send: Send) -> tuple[str, Send]:
        if known:
            return known, send
        token = access.fresh_token()
        secure = "; Secure" if scope["state"]["secure"] else ""
        cookie = f"{PRE_COOKIE}={token}; Path=/login; Max-Age={PRE_COOKIE_AGE_S}; HttpOnly; SameSite=Lax{secure}"

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", cookie)
            await send(message)

        return token, with_cookie

    def _refused(self, scope: Scope, refused: Problem) -> Response:
        headers = dict(refused.headers or {})
        if refused.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Bearer realm="evil2root"'
            asked = Headers(scope=scope)
            to_login = login_address(scope)
            if "hx-request" in asked:  # a fragment can't hold the sign-in page: the browser goes there itself
                headers["HX-Redirect"] = to_login
            elif not is_for_programs(scope["path"]) and "authorization" not in asked:
                return RedirectResponse(to_login, status_code=HTTPStatus.SEE_OTHER)
        return problem(scope, refused.status, refused.detail, headers=headers)


def login_address(scope: Scope) -> str:
    """Return where to sign in, and the way back when it was a page that was asked for."""
    path = scope["path"]
    if scope["method"] not in SAFE_METHODS or "hx-request" in Headers(scope=scope):
        return LOGIN
    query = scope.get("query_string", b"").decode("latin-1")
    back = safe_next(f"{quote(path)}?{query}" if query else quote(path))
    return LOGIN if back == "/" else f"{LOGIN}?next={quote(back, safe='')}"


def safe_next(address: str) -> str:
    """Return `address` when it is a path of this site, else `/`: nobody is sent elsewhere after signing in."""
    is_path = address.startswith("/") and not address.startswith(("//", "/\\"))
    is_plain = len(address) <= 2_000 and address.isascii() and address.isprintable() and "\\" not in address
    return address if is_path and is_plain else "/"


async def _or_seen(scope: Scope, asking: Awaitable[Identity | None], seen: Identity | None) -> Identity | None:
    """Wait for the answer; who wants to stop trading and was here lately does not wait for a database that is away."""
    if scope["path"] not in HALTS or seen is None:
        return await asking
    try:
        async with asyncio.timeout(HALT_WAITS_S):
            return await asking
    except Exception as problem:  # noqa: BLE001 - whatever is wrong with the store, entries can be stopped
        log.warning("access.unanswered", path=scope["path"], problem=str(problem) or "no answer in time")
        return seen


async def _by_key(access: Access, bearer: str) -> Identity:
    scheme, _, raw = bearer.partition(" ")
    identity = await access.key(raw.strip()) if scheme.lower() == "bearer" and len(raw) < 200 else None
    if identity is None:
        raise Problem(HTTPStatus.UNAUTHORIZED, "This API key is unknown, revoked or past its date.")
    return identity


def _require_own_form(access: Access, scope: Scope, headers: Headers, token: str) -> None:
    site = headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        _refuse_form(f"The browser says this request comes from another site ({site[:20]}).")
    origin = headers.get("origin")
    if origin is not None and origin.lower().partition("://")[2] != headers.get("host", "").lower():
        _refuse_form(f"This request comes from {origin[:100]!r}.")
    given = headers.get(CSRF_HEADER) or _form_field(scope, headers)
    if not access.csrf_holds(token, given):
        _refuse_form("The form's token is missing or old: load the page again.")


def _refuse_form(says: str) -> NoReturn:
    raise Problem(HTTPStatus.FORBIDDEN, says)


def _form_field(scope: Scope, headers: Headers) -> str:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return ""
    try:
        fields = parse_qs(scope["state"].get("body", b"").decode("utf-8"), max_num_fields=200)
    except ValueError:  # not UTF-8, or too many fields
        return ""
    return str(fields.get(CSRF_FIELD, [""])[0])
