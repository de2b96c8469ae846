"""Bodies that mean one thing only: no duplicate keys, no NaN, no number that a float would bend."""

import json
import re
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Annotated, Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,10})?")
_LARGEST = Decimal(10) ** 15
_PLACES = 10
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"


class Body(BaseModel):
    """A request's body: only the fields it names, each of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _exact(value: Any) -> Decimal:
    """Take a decimal as text or as a JSON number; never a boolean, never more than it can hold."""
    if isinstance(value, str):
        if _NUMBER.fullmatch(value) is None:
            msg = "write it as a plain decimal such as 12.5, with at most 15 digits before and 10 after the point"
            raise ValueError(msg)
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        msg = 'it must be a number or the text of one, such as "12.5"'
        raise ValueError(msg)  # noqa: TRY004 - pydantic makes a 422 of a ValueError only
    number = Decimal(value)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_PLACES or not 0 < number < _LARGEST:
        msg = "it must be finite, above zero, below 10 to the 15 and have at most 10 decimals"
        raise ValueError(msg)
    return number


Amount = Annotated[
    Decimal,
    BeforeValidator(_exact),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,10})?$"},
                {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e15},
            ],
            "examples": ["12.5"],
        }
    ),
]
"""A quantity or a price above zero, exact."""

Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), Field(pattern=_PRINTABLE)
]
"""A person's words, in one line."""


class StrictRequest(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> Any:
        """Return the body's JSON; raises `json.JSONDecodeError` with the reason."""
        body = await self.body()
        try:
            return parse(body.decode("utf-8"))
        except UnicodeDecodeError:
            raise json.JSONDecodeError(_why("it is not UTF-8"), "", 0) from None


def parse(text: str) -> Any:
    """Parse JSON with exact numbers; raises `json.JSONDecodeError` for what has no single meaning."""
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_float=Decimal, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except json.JSONDecodeError:
        raise
    except UnicodeEncodeError:
        raise json.JSONDecodeError(_why("it holds half a character (a lone surrogate)"), "", 0) from None
    except RecursionError:
        raise json.JSONDecodeError(_why("it is nested too deeply"), "", 0) from None
    except ValueError as error:  # ours below, and an integer of thousands of digits
        raise json.JSONDecodeError(_why(str(error)), "", 0) from None
    return value


def _why(reason: str) -> str:
    return reason[:200]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"the key {twice[:50]!r} is there twice"
        raise ValueError(msg)
    return found


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is no number"
    raise ValueError(msg)


class StrictRoute(APIRoute):
    """A route that reads its JSON strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strictly
