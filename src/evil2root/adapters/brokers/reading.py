"""Reading a venue's records with suspicion: what is not what it should be raises `Unreadable`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

TEXT_MAX = 200
DIGITS_MAX = 40
MAGNITUDE_MAX = 20
"""Powers of ten beyond which nothing is a price, a quantity or money."""
YEARS = range(2000, 2200)
"""An execution from before or after would lead the cursor astray."""


class Unreadable(ValueError):  # noqa: N818 - named for what is wrong
    """A record of the venue that can't be what it says it is."""


def fields_of(raw: object) -> Mapping[str, object]:
    """Take a record for what it says it is: names and values."""
    if not isinstance(raw, dict):
        msg = f"{as_told(raw)} is no record"
        raise Unreadable(msg)
    return raw


def text_of(row: Mapping[str, object], name: str, default: str | None = None) -> str:
    """Read a short printable text; the default stands for one that is missing."""
    value = row.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_MAX or not value.isprintable():
        msg = f"{name} is {as_told(value)}"
        raise Unreadable(msg)
    return value


def amount_of(row: Mapping[str, object], name: str, default: Decimal | None) -> Decimal | None:
    """Read a finite number, exactly; the default stands for one that is missing."""
    value = row.get(name)
    if value is None:
        return default
    try:
        number = Decimal(value) if isinstance(value, str | Decimal) and len(str(value)) <= DIGITS_MAX else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number.adjusted()) > MAGNITUDE_MAX:
        msg = f"{name} is {as_told(value)}, which is no number"
        raise Unreadable(msg)
    return number


def time_of(row: Mapping[str, object], name: str, default: datetime | None = None) -> datetime:
    """Read an RFC 3339 time, in UTC; the default stands for one that is missing."""
    value = row.get(name)
    if value is None and default is not None:
        return default
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year not in YEARS:
        msg = f"{name} is {as_told(value)}, which is no time"
        raise Unreadable(msg)
    return moment.astimezone(UTC)


def as_told(raw: object) -> str:
    """Show the beginning of what came: printable, whatever it was."""
    try:
        return repr(raw)[: 2 * TEXT_MAX]
    except RecursionError:
        return "something nested without end"
