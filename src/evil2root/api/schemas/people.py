"""Users, API keys and who did what."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

from evil2root.api.strict import Body
from evil2root.api.values import Moment, Out
from evil2root.engine.access import Role, Scope

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")]


def _time(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


Later = Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(lambda at: at.astimezone(UTC))]
RoleIn = Annotated[Role, Field(strict=False)]
ScopeIn = Annotated[Scope, Field(strict=False)]


class UserOut(Out):
    """A person who can sign in."""

    name: str
    role: Role
    disabled: bool
    created_at: Moment


class UserIn(Body):
    """A new user."""

    name: Name
    role: RoleIn
    password: Annotated[str, StringConstraints(min_length=12, max_length=1_000)] = Field(repr=False)


class ApiKeyOut(Out):
    """A key for programs; what it is made of is not kept."""

    id: str
    name: str
    role: Role
    scopes: list[Scope]
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None


class NewKeyOut(ApiKeyOut):
    """A key just made."""

    key: str = Field(default="", repr=False)
    """Shown this once."""


class ApiKeyIn(Body):
    """A new key."""

    name: Name
    role: RoleIn
    scopes: list[ScopeIn] = Field(default_factory=list, max_length=3)
    """Empty: all that the role may."""
    expires_at: Later | None = None


class AuditOut(Out):
    """Who did what."""

    sequence: int
    at: Moment
    actor: str
    origin: str
    action: str
    object: str
    before: str | None
    after: str | None
    hash: str
