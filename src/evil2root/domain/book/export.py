"""Closed trades as a file for spreadsheets and scripts."""

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

from evil2root.domain.book.positions import Trade

TRADE_COLUMNS = (
    "symbol", "side", "quantity", "entry_time", "entry_price", "exit_time", "exit_price", "exit_reason",
    "fees", "pnl", "r",
)  # fmt: skip
R_STEP = Decimal("0.000001")
"""R is a ratio without an end: six decimals of it are written."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def trades_csv(trades: Iterable[Trade]) -> str:
    """Write trades in the order given, under a line of column names; lines end in a line feed.

    Times are ISO 8601 in UTC with a `Z`, numbers plain decimals with an ASCII minus, a missing R is empty.
    Text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV injection); numbers never.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TRADE_COLUMNS)
    for trade in trades:
        writer.writerow(
            (
                _word(trade.symbol),
                trade.side.value,
                _number(trade.quantity),
                _moment(trade.entry_time),
                _number(trade.entry_price),
                _moment(trade.exit_time),
                _number(trade.exit_price),
                _word(trade.exit_reason),
                _number(trade.fees),
                _number(trade.pnl),
                "" if trade.r is None else _number(trade.r.quantize(R_STEP)),
            )
        )
    return text.getvalue()


def _word(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _number(value: Decimal) -> str:
    return f"{value:f}"


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
