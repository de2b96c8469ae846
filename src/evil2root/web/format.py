"""How numbers and times read on a page. One module, so that every page says the same figure the same way.

Numbers come in as `Decimal`, `int` or `float`; ratios as fractions (0.0059), never as percent. Minus is U+2212. A
missing number has no format: whoever has none says `none` or `not yet` in words.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from urllib.parse import quote
from zoneinfo import ZoneInfo

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
NEW_YORK = "America/New_York"
_ASCII_MINUS = re.compile(r"(?<![\w.+-])-(?=\.?[0-9])")
"""A hyphen that is a sign: before a number, and not inside a date, a range or a name."""

Number = Decimal | float | int

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
QUANTITY_DECIMALS = 8
PRICE_DECIMALS = ((10, 2), (1, 4), (0, 6))
"""Most decimals of a price that has no tick, from which price on; it has cents at least."""

_ZERO = Decimal(0)


def num(value: Number, digits: int = 2, *, plus: bool = False) -> str:
    """`1,234.50`; with `plus` the sign is always there, except on what rounds to zero."""
    return _signed(*_rounded(value, digits), digits, plus=plus)


def money(value: Number, *, currency: str = "USD", plus: bool = False, whole: bool = False) -> str:
    """`$104,382.17`, `-$1,752.00`; always cents unless `whole`. A currency without a sign is named: `1.00 CHF`."""
    digits = 0 if whole else 2
    amount, is_negative = _rounded(value, digits)
    sign = MINUS if is_negative else "+" if plus and amount else ""
    text = f"{amount:,.{digits}f}"
    mark = SYMBOLS.get(currency)
    return f"{sign}{mark}{text}" if mark else f"{sign}{text} {currency}"


def pct(frac: Number, digits: int = 2, *, plus: bool = False) -> str:
    """A fraction as percent: 0.0059 is `0.59%`."""
    return num(exact(frac) * 100, digits, plus=plus) + "%"


def pp(frac: Number) -> str:
    """A difference of two fractions in percentage points, signed: `+1.81 pp`."""
    return num(exact(frac) * 100, 2, plus=True) + " pp"


def bps(frac: Number) -> str:
    """A small fraction in hundredths of a percent: `1.7 bps`."""
    return num(exact(frac) * 10_000, 1, plus=True) + " bps"


def multiple(value: Number) -> str:
    """A result in multiples of the risk taken: `+0.43R`."""
    return num(value, 2, plus=True) + "R"


def price(value: Number, *, tick: Decimal | None = None) -> str:
    """A price with the decimals of its tick; without a tick, as many as it has, within limits."""
    amount = exact(value)
    source = amount if tick is None else tick
    decimals = max(0, -_exponent(source.normalize()))
    if tick is None:
        most = next(digits for least, digits in PRICE_DECIMALS if abs(amount) >= least)
        decimals = min(max(decimals, 2), most)
    return num(amount, decimals)


def quantity(value: Number) -> str:
    """Up to eight decimals, trailing zeros cut: `45`, `0.00012`."""
    text = num(value, QUANTITY_DECIMALS)
    return text.rstrip("0").rstrip(".")


def true_minus(text: str) -> str:
    """Stored words with U+2212 for the minus of their numbers: `score -0.073` as figures read elsewhere on the page."""
    return _ASCII_MINUS.sub(MINUS, text)


def big(value: Number) -> str:
    """A big count in three digits: `182 M`, `4.81 k`."""
    amount = exact(value)
    for unit, name in ((Decimal(10**9), " B"), (Decimal(10**6), " M"), (Decimal(10**3), " k")):
        if abs(amount) >= unit:
            share = amount / unit
            digits = 0 if abs(share) >= 100 else 1 if abs(share) >= 10 else 2
            return num(share, digits).rstrip("0").rstrip(".") + name if digits else num(share, 0) + name
    return num(amount, 0)


def size(count: int) -> str:
    """Bytes: `412 MB`."""
    return f"{count / 1e6:,.0f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 order`, `3 orders`, `no orders`."""
    word = one if number == 1 else (many or f"{one}s")
    return f"{number or 'no'} {word}" if number < 1000 else f"{number:,} {word}"


def lasted(length: timedelta) -> str:
    """How long something took or took place: `8.2 s`, `12 min`, `4 h`, `3 d`."""
    seconds = length.total_seconds()
    if seconds < 10:
        return f"{seconds:.1f} s"
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:,.0f} d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time for a `<time>` element."""

    iso: str
    """RFC 3339, UTC."""
    text: str
    title: str
    """The exchange's zone and UTC, for the curious."""


def moment(at: datetime, *, now: datetime, zone: str = NEW_YORK, exact_time: bool = False) -> Moment:
    """Relative under an hour (`4 s ago`), then `15:42`, then `17 Nov 10:31`, with the year when it is another one.

    `exact_time` skips the relative form.
    """
    age = now - at
    there, today = at.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    if not exact_time and timedelta(0) <= age < timedelta(hours=1):
        seconds = int(age.total_seconds())
        text = f"{seconds} s ago" if seconds < 60 else f"{seconds // 60} min ago"
    elif there.date() == today.date():
        text = f"{there:%H:%M}"
    else:
        text = f"{_date(there, today)} {there:%H:%M}"
    return Moment(iso=_iso(at), text=text, title=_title(at, zone))


def day(at: datetime, *, now: datetime, zone: str = NEW_YORK) -> Moment:
    """The date alone: `17 Nov`, or `17 Nov 2006` when the year is another one."""
    there = at.astimezone(ZoneInfo(zone))
    return Moment(iso=_iso(at), text=_date(there, now.astimezone(ZoneInfo(zone))), title=_title(at, zone))


def to_the_ms(at: datetime, *, zone: str = NEW_YORK) -> Moment:
    """An order's time: `10:31:07.412`."""
    there = at.astimezone(ZoneInfo(zone))
    return Moment(iso=_iso(at), text=f"{there:%H:%M:%S}.{there.microsecond // 1000:03d}", title=_title(at, zone))


def long_day(at: datetime, *, zone: str = NEW_YORK) -> str:
    """`Friday 20 November 2026`."""
    there = at.astimezone(ZoneInfo(zone))
    return f"{there:%A} {there.day} {there:%B} {there.year}"


def city(zone: str) -> str:
    """The readable part of a zone's name: `New York`."""
    return zone.rpartition("/")[2].replace("_", " ")


def exact(value: Number) -> Decimal:
    """Cross from a float by its shortest text."""
    return value if isinstance(value, Decimal) else Decimal(str(value))


def tone(value: Number, digits: int = 2) -> str:
    """`up`, `down` or `flat`: the sign of what is shown, so that a shown zero is never coloured."""
    amount, is_negative = _rounded(value, digits)
    return "flat" if not amount else "down" if is_negative else "up"


def _rounded(value: Number, digits: int) -> tuple[Decimal, bool]:
    amount = exact(value).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    return abs(amount), amount < _ZERO


def _signed(amount: Decimal, is_negative: bool, digits: int, *, plus: bool) -> str:  # noqa: FBT001 - the pair of `_rounded`
    sign = MINUS if is_negative else "+" if plus and amount else ""
    return f"{sign}{amount:,.{digits}f}"


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _title(at: datetime, zone: str) -> str:
    there, utc = at.astimezone(ZoneInfo(zone)), at.astimezone(UTC)
    return f"{there.day} {there:%b %Y %H:%M:%S} {city(zone)}, {utc:%H:%M:%S} UTC"


def _date(there: datetime, today: datetime) -> str:
    year = "" if there.year == today.year else f" {there.year}"
    return f"{there.day} {there:%b}{year}"


def path(text: str) -> str:
    """A name as a part of an address: nothing in it can end the part."""
    return quote(text, safe="")
