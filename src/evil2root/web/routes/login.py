"""Signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from evil2root.engine.access import PRE_COOKIE, SESSION_COOKIE, Access, LoggedIn
from evil2root.engine.desk import Desk
from evil2root.web import render
from evil2root.web.deps import caller_of, csrf_of, origin_of
from evil2root.web.notice import own_path

router = APIRouter()

NEXT_MAX = 2_000


def _access(request: Request) -> Access:
    access: Access | None = getattr(request.app.state, "access", None)
    if access is None:
        raise HTTPException(503, "Starting: nobody can be let in yet. Try again in a moment.")
    return access


@router.get("/login")
async def login_page(request: Request, next: str = "/") -> Response:  # noqa: A002 - the field's public name
    """Is this my bot, and is it safe to enter?"""
    if caller_of(request) is not None:
        return RedirectResponse(_back(next), status_code=303)
    return _page(request, back=_back(next))


@router.post("/login")
async def login(
    request: Request,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the field's public name
) -> Response:
    """Sign in; the same words for a wrong name and a wrong password."""
    answer = await _access(request).login(name.strip(), password, origin=origin_of(request))
    if not isinstance(answer, LoggedIn):
        status = 429 if answer.locked_until is not None else 401
        return _page(request, back=_back(next), name=name[:64], says=answer.says, status=status)
    response = RedirectResponse(_back(next), status_code=303)
    response.set_cookie(
        SESSION_COOKIE, answer.token, expires=answer.expires, path="/", httponly=True, samesite="lax",
        secure=_is_secure(request),
    )  # fmt: skip
    response.delete_cookie(PRE_COOKIE, path="/login")
    return response


@router.post("/logout")
async def logout(request: Request) -> Response:
    """End the session."""
    token = request.cookies.get(SESSION_COOKIE, "")
    identity = caller_of(request)
    if token and identity is not None:
        await _access(request).logout(token, by=identity.name, origin=origin_of(request))
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax", secure=_is_secure(request))
    return response


def _page(request: Request, *, back: str, name: str = "", says: str = "", status: int = 200) -> Response:
    desk: Desk | None = getattr(request.app.state, "desk", None)
    now = desk.status() if desk is not None else None
    context = {
        "csrf": csrf_of(request),
        "next": back,
        "name": name,
        "says": says,
        "mode": now.mode if now is not None else "",
        "badge": now.feed.badge if now is not None else "",
        "version": now.version if now is not None else "",
    }
    return render.page(request, "pages/login.html", context, status=status)


def _back(address: str) -> str:
    return own_path(address[:NEXT_MAX], otherwise="/")


def _is_secure(request: Request) -> bool:
    return bool(getattr(request.state, "secure", False))
