"""Where shares are listed: the currency, the unit prices are written in, and the hours, by the suffix of the symbol."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from evil2root.domain.core.money import ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Daily trading hours in the exchange's own time zone."""

    name: str
    zone: str
    opens: time
    closes: time
    """Equal to `opens` for a market that does not close within the day."""

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """Return the opening and the close, in UTC, of the session that opens on `day`."""
        zone = ZoneInfo(self.zone)
        start = datetime.combine(day, self.opens, zone)
        end = datetime.combine(day, self.closes, zone)
        if self.closes <= self.opens:
            end = datetime.combine(day + timedelta(days=1), self.closes, zone)
        return start.astimezone(UTC), end.astimezone(UTC)


NEW_YORK = Session(name="XNYS", zone="America/New_York", opens=time(9, 30), closes=time(16, 0))

Listing = tuple[str, Decimal, Session]
"""Currency, how much of it a price of 1 is, hours."""

HUNDREDTH = Decimal("0.01")
HUNDREDTHS = {"GBP": "GBp", "ZAR": "ZAc", "ILS": "ILA"}
"""How Yahoo writes that prices are in pence, cents or agorot."""


def _listing(currency: str, name: str, zone: str, opens: time, closes: time, unit: Decimal = ONE) -> Listing:  # noqa: PLR0913 - a row of the table
    return currency, unit, Session(name=name, zone=zone, opens=opens, closes=closes)


_EURONEXT = (time(9, 0), time(17, 30))

LISTINGS: dict[str, Listing] = {
    "PA": _listing("EUR", "XPAR", "Europe/Paris", *_EURONEXT),
    "AS": _listing("EUR", "XAMS", "Europe/Amsterdam", *_EURONEXT),
    "BR": _listing("EUR", "XBRU", "Europe/Brussels", *_EURONEXT),
    "LS": _listing("EUR", "XLIS", "Europe/Lisbon", time(8, 0), time(16, 30)),
    "MI": _listing("EUR", "XMIL", "Europe/Rome", *_EURONEXT),
    "MC": _listing("EUR", "XMAD", "Europe/Madrid", *_EURONEXT),
    "DE": _listing("EUR", "XETR", "Europe/Berlin", *_EURONEXT),
    "F": _listing("EUR", "XFRA", "Europe/Berlin", time(8, 0), time(22, 0)),
    "VI": _listing("EUR", "XWBO", "Europe/Vienna", *_EURONEXT),
    "HE": _listing("EUR", "XHEL", "Europe/Helsinki", time(10, 0), time(18, 30)),
    "IR": _listing("EUR", "XDUB", "Europe/Dublin", time(8, 0), time(16, 30)),
    "L": _listing("GBP", "XLON", "Europe/London", time(8, 0), time(16, 30), HUNDREDTH),
    "SW": _listing("CHF", "XSWX", "Europe/Zurich", *_EURONEXT),
    "ST": _listing("SEK", "XSTO", "Europe/Stockholm", *_EURONEXT),
    "CO": _listing("DKK", "XCSE", "Europe/Copenhagen", time(9, 0), time(17, 0)),
    "OL": _listing("NOK", "XOSL", "Europe/Oslo", time(9, 0), time(16, 20)),
    "TO": _listing("CAD", "XTSE", "America/Toronto", time(9, 30), time(16, 0)),
    "V": _listing("CAD", "XTSX", "America/Toronto", time(9, 30), time(16, 0)),
    "AX": _listing("AUD", "XASX", "Australia/Sydney", time(10, 0), time(16, 0)),
    "NZ": _listing("NZD", "XNZE", "Pacific/Auckland", time(10, 0), time(16, 45)),
    "T": _listing("JPY", "XTKS", "Asia/Tokyo", time(9, 0), time(15, 30)),
    "HK": _listing("HKD", "XHKG", "Asia/Hong_Kong", time(9, 30), time(16, 0)),
    "SI": _listing("SGD", "XSES", "Asia/Singapore", time(9, 0), time(17, 0)),
    "JO": _listing("ZAR", "XJSE", "Africa/Johannesburg", time(9, 0), time(17, 0), HUNDREDTH),
    "TA": _listing("ILS", "XTAE", "Asia/Jerusalem", time(9, 59), time(17, 15), HUNDREDTH),
}
"""By the suffix Yahoo writes. London, Johannesburg and Tel Aviv quote hundredths: pence, cents, agorot."""

CURRENCIES = frozenset(
    "USD EUR GBP CHF SEK DKK NOK CAD AUD NZD JPY HKD SGD ZAR ILS PLN CZK HUF TRY MXN BRL CNY CNH INR KRW THB".split()  # noqa: SIM905 - read as a sentence
)
"""Codes that make a bare pair such as EURUSD a currency pair and no share."""
