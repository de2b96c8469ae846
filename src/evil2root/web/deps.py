"""What routes ask of a request: the desk, the caller, and the one block of figures each page begins with."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from evil2root.engine.desk import Desk
from evil2root.engine.identity import Identity, Role


def desk_of(request: Request) -> Desk:
    """Fetch the desk that `main` put into the application's state."""
    desk: Desk | None = getattr(request.app.state, "desk", None)
    if desk is None:
        raise HTTPException(503, "Starting: try again in a moment.")
    return desk


def caller_of(request: Request) -> Identity | None:
    """Whom the guard let in; none on the pages that need nobody."""
    identity: Identity | None = getattr(request.state, "identity", None)
    return identity


def csrf_of(request: Request) -> str:
    """The token that forms carry; the guard made it for this session."""
    token: str = getattr(request.state, "csrf", "") or ""
    return token


def origin_of(request: Request) -> str:
    """Where the caller is, for the audit."""
    return f"web {getattr(request.state, 'origin', '') or 'local'}"


def may_trade(identity: Identity | None) -> bool:
    """May this caller change anything?"""
    return identity is not None and identity.may(Role.TRADER)


def trader(request: Request) -> Identity:
    """Return the caller, who must be allowed to act; a viewer gets 403."""
    return _allowed(request, may_trade, "may look but not act: this needs the role trader. Ask an admin for it.")


def may_administer(identity: Identity | None) -> bool:
    """May this caller change the rules?"""
    return identity is not None and identity.may(Role.ADMIN)


def admin(request: Request) -> Identity:
    """Return the caller, who must be allowed to change the rules; others get 403."""
    return _allowed(request, may_administer, "may not change the rules: this needs the role admin.")


def _allowed(request: Request, may: Callable[[Identity | None], bool], otherwise: str) -> Identity:
    identity = caller_of(request)
    if identity is None or not may(identity):
        raise HTTPException(403, f"{identity.name if identity is not None else 'Nobody'} {otherwise}")
    return identity


DeskDep = Annotated[Desk, Depends(desk_of)]
TraderDep = Annotated[Identity, Depends(trader)]
AdminDep = Annotated[Identity, Depends(admin)]
