"""An app over a desk in memory, with a person or a key for each role."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from evil2root.api.app import create_app
from evil2root.engine.access import PRE_COOKIE, SESSION_COOKIE, Access, LoggedIn, Role, Scope
from evil2root.engine.idempotency import Once
from tests.fakes.access import MemoryAccess, MemoryOnce, SetClock, an_access
from tests.fakes.desk import FakeDesk

BASE = "http://127.0.0.1:8000"
PASSWORD = "correct horse battery"
API = "/api/v1"


@dataclass
class House:
    """The app, what it stands on, and ways in."""

    desk: FakeDesk
    app: FastAPI = field(default_factory=lambda: create_app(version="0.1.0"))
    store: MemoryAccess = field(default_factory=MemoryAccess)
    clock: SetClock = field(default_factory=SetClock)
    once: MemoryOnce = field(default_factory=MemoryOnce)
    access: Access = field(init=False)

    def __post_init__(self) -> None:
        self.access = an_access(self.store, self.clock)
        self.app.state.desk = self.desk
        self.app.state.access = self.access
        self.app.state.once = Once(self.once, clock=self.clock)

    @asynccontextmanager
    async def client(self, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 40_000))
        async with httpx.AsyncClient(transport=transport, base_url=BASE, **settings) as client:
            yield client

    @asynccontextmanager
    async def keyed(self, role: Role = Role.ADMIN, *scopes: Scope) -> AsyncIterator[httpx.AsyncClient]:
        """A program with a key of this role."""
        made = await self.access.add_key(
            f"{role}-{len(await self.access.keys())}", role=role, scopes=scopes, expires_at=None, by="t", origin="t"
        )
        async with self.client(headers={"Authorization": f"Bearer {made.raw}"}) as client:
            yield client

    @asynccontextmanager
    async def signed_in(self, role: Role = Role.ADMIN) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
        """A person's browser, and the token its forms carry."""
        name = f"{role}-person"
        if await self.store.user(name) is None:
            await self.access.add_user(name, role=role, password=PASSWORD, by="t", origin="t")
        answer = await self.access.login(name, PASSWORD, origin="127.0.0.1")
        assert isinstance(answer, LoggedIn)
        async with self.client(cookies={SESSION_COOKIE: answer.token}) as client:
            yield client, self.access.csrf(answer.token)


def idempotent(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def assert_problem(answer: httpx.Response, status: int, says: str = "") -> None:
    """It is a problem of RFC 9457 with this status that says so."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "instance"} <= body.keys()
    assert body["status"] == status
    assert says in body["detail"]


__all__ = ["API", "BASE", "PASSWORD", "PRE_COOKIE", "SESSION_COOKIE", "House", "assert_problem", "idempotent"]
