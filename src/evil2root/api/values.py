"""How values are written in answers, and how times are read from addresses."""

from collections.abc import Awaitable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from evil2root.api.problems import Problem
from evil2root.engine.reads import Page

T = TypeVar("T")


class Out(BaseModel):
    """A part of an answer, made from a value by its attributes."""

    model_config = ConfigDict(from_attributes=True, frozen=True, protected_namespaces=())


def plain(value: Decimal) -> str:
    """Write a decimal without an exponent and with an ASCII minus."""
    return f"{value:f}"


def rfc3339(at: datetime) -> str:
    """Write a time in UTC with a `Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


Exact = Annotated[
    Decimal,
    PlainSerializer(plain, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "examples": ["1234.50"]}),
]
"""Money, a quantity or the price of an order: a decimal as text."""

Moment = Annotated[
    datetime,
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2013-03-01T21:00:00Z"]}),
]
"""RFC 3339. Everything inside is UTC, which pydantic writes with a `Z`."""

Lasting = Annotated[
    timedelta,
    PlainSerializer(lambda length: length.total_seconds(), return_type=float),
    WithJsonSchema({"type": "number", "description": "Seconds."}),
]
"""A length of time in seconds."""


class ListOut(Out, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None
    """Give it as `cursor` to go on; null at the end."""


async def page_or_422(page: Awaitable[Page[T]], *, cursor: str | None) -> Page[T]:
    """Await a page; a cursor that is none of ours is the caller's mistake."""
    try:
        return await page
    except ValueError as error:
        if cursor is None:
            raise
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"The cursor is none of this list's: {error}", field="query.cursor"
        ) from error


def moment(text: str | None, *, field: str) -> datetime | date | None:
    """Read RFC 3339 with a zone, or a plain date; anything else is a 422 naming the field."""
    if text is None:
        return None
    # An unescaped + of an offset arrives as a space.
    written = text[:-6] + "+" + text[-5:] if len(text) > 6 and text[-6] == " " else text
    try:
        if len(written) == len("2013-03-01"):
            return date.fromisoformat(written)
        at = datetime.fromisoformat(written)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    detail = f"{text[:40]!r} is no time: write 2013-03-01T21:00:00Z (with its zone) or a plain date, 2013-03-01."
    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field=f"query.{field}")


def midnight(at: datetime | date | None) -> datetime | None:
    """Take a plain date as its midnight in UTC, where no market says when its day begins."""
    if at is None or isinstance(at, datetime):
        return at
    return datetime(at.year, at.month, at.day, tzinfo=UTC)
