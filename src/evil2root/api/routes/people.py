"""Users and API keys."""

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path

from evil2root.api.deps import ADMIN, CONFLICT, NOT_FOUND, PROBLEMS, AccessDep, CallerDep, OriginDep
from evil2root.api.problems import Problem
from evil2root.api.schemas.people import ApiKeyIn, ApiKeyOut, NewKeyOut, UserIn, UserOut
from evil2root.api.strict import StrictRoute
from evil2root.api.values import ListOut
from evil2root.engine.access import BadAccessRule, NameTaken, NotThere

T = TypeVar("T")

router = APIRouter(route_class=StrictRoute, tags=["people"], responses=PROBLEMS, dependencies=[ADMIN])

Name = Annotated[str, Path(max_length=60)]


@router.get("/users", summary="Users by name")
async def get_users(access: AccessDep) -> ListOut[UserOut]:
    """List everybody who can or could sign in."""
    return ListOut(items=[UserOut.model_validate(u) for u in await access.users()], next=None)


@router.post("/users", summary="Add a user", status_code=HTTPStatus.CREATED, responses=CONFLICT)
async def add_user(body: UserIn, access: AccessDep, caller: CallerDep, origin: OriginDep) -> UserOut:
    """Add a user; the name is theirs for good, so asking twice adds nothing."""
    user = await _or_problem(
        access.add_user(body.name, role=body.role, password=body.password, by=caller.name, origin=origin)
    )
    return UserOut.model_validate(user)


@router.delete("/users/{name}", summary="Disable a user", responses=NOT_FOUND)
async def disable_user(name: Name, access: AccessDep, caller: CallerDep, origin: OriginDep) -> UserOut:
    """Keep a user out and end their sessions. Their name stays in the audit, so nobody is deleted."""
    return UserOut.model_validate(await _or_problem(access.disable_user(name, by=caller.name, origin=origin)))


@router.get("/apikeys", summary="API keys, newest first")
async def get_keys(access: AccessDep) -> ListOut[ApiKeyOut]:
    """List all keys, revoked ones too; the keys themselves are not kept."""
    return ListOut(items=[ApiKeyOut.model_validate(k) for k in await access.keys()], next=None)


@router.post("/apikeys", summary="Make an API key", status_code=HTTPStatus.CREATED, responses=CONFLICT)
async def add_key(body: ApiKeyIn, access: AccessDep, caller: CallerDep, origin: OriginDep) -> NewKeyOut:
    """Make a key. It is shown in this answer only: its hash is all that is kept."""
    made = await _or_problem(
        access.add_key(
            body.name, role=body.role, scopes=body.scopes, expires_at=body.expires_at, by=caller.name, origin=origin
        )
    )
    return NewKeyOut.model_validate(made.key).model_copy(update={"key": made.raw})


@router.delete("/apikeys/{key_id}", summary="Revoke an API key", status_code=HTTPStatus.NO_CONTENT, responses=NOT_FOUND)
async def revoke_key(key_id: Name, access: AccessDep, caller: CallerDep, origin: OriginDep) -> None:
    """Revoke a key for good."""
    await _or_problem(access.revoke_key(key_id, by=caller.name, origin=origin))


async def _or_problem(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except NameTaken as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error
    except NotThere as error:
        raise Problem(HTTPStatus.NOT_FOUND, str(error)) from error
    except BadAccessRule as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
