"""Pages of lists that grow at their head: a cursor says where to go on, so that nothing shifts or repeats."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, RowMapping, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from evil2root.engine.reads import PAGE_MAX, Page

T = TypeVar("T")


async def page(  # noqa: PLR0913 - a query, how it goes on and how far
    connection: AsyncConnection, query: Select[Any], *, key: ColumnElement[int], limit: int, cursor: str | None,
    value: Callable[[RowMapping], T],
) -> Page[T]:  # fmt: skip
    """Give a page, newest first.

    Parameters
    ----------
    key
        A selected column that counts rows in the order they were written.
    cursor
        Where the page before ended; a text that is no cursor raises `ValueError`.
    """
    if not 1 <= limit <= PAGE_MAX:
        msg = f"limit is {limit}; it must be from 1 to {PAGE_MAX}."
        raise ValueError(msg)
    if cursor is not None:
        query = query.where(key < _number(cursor))
    rows = (await connection.execute(query.order_by(key.desc()).limit(limit + 1))).mappings().all()
    more = len(rows) > limit
    return Page(
        items=tuple(value(row) for row in rows[:limit]),
        next=_cursor(rows[limit - 1][key]) if more else None,
    )


def _cursor(number: int) -> str:
    return urlsafe_b64encode(f"before:{number}".encode()).rstrip(b"=").decode()


def _number(cursor: str) -> int:
    try:
        spelled = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        word, _, digits = spelled.partition(":")
        if word == "before" and digits.isascii() and digits.isdecimal() and len(digits) < 19:
            return int(digits)
    except (binascii.Error, ValueError):  # both say the same: it is not one of ours
        pass
    msg = f"{cursor[:40]!r} is not a cursor: take `next` of the page before, or leave it out for the first page."
    raise ValueError(msg)
