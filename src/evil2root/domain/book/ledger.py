"""The append-only double entry of everything that moves money or units.

Every transaction sums to zero in every unit. Account names:
`cash` what the account can spend, `position:SYMBOL` units held, `trading:SYMBOL` the other side of every exchange
(its balance in currency is minus the cost of what is held plus what trading earned), `fees` what venues took,
`capital` what the owner put in,
`borrow` what lending the units of shorts cost, `conversion` the other side of every exchange of one currency for another.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from evil2root.domain.book.charges import Charge
from evil2root.domain.book.fills import Fill
from evil2root.domain.core.ids import transaction_id
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.money import ZERO, Money

CASH, FEES, CAPITAL, CONVERSION, BORROW = "cash", "fees", "capital", "conversion", "borrow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger: `amount` of `unit` into (above zero) or out of (below zero) an account."""

    transaction_id: str
    line: int
    account: str
    unit: str
    """A currency code, or a symbol for units held."""
    amount: Decimal
    at: datetime
    ref: str
    """What it books: `fill:VENUE:ACCOUNT:EXECUTION`, `borrow:VENUE:ACCOUNT:SYMBOL:DAY`, `deposit:N`."""


def deposit(amount: Money, *, currency: str, at: datetime, ref: str) -> tuple[Entry, ...]:
    """Book money the owner put in."""
    return _entries(ref, at, ((CASH, currency, amount), (CAPITAL, currency, -amount)))


def adjusted_cash(extra: Money, *, currency: str, at: datetime, ref: str) -> tuple[Entry, ...]:
    """Book money the venue has and the books did not (below zero: the reverse) as the owner's; `ref` is `adjust:...`."""
    return deposit(extra, currency=currency, at=at, ref=ref)


def adjusted_units(  # noqa: PLR0913 - units, their worth, and what names the booking
    instrument: Instrument, extra: Decimal, *, price: Decimal, rate: Decimal, currency: str, at: datetime, ref: str
) -> tuple[Entry, ...]:
    """Book units the venue has and the books did not (below zero: the reverse), brought in by the owner at `price`."""
    symbol, worth = instrument.symbol, extra * price * rate
    lines: list[tuple[str, str, Decimal]] = [
        (f"position:{symbol}", symbol, extra),
        (f"trading:{symbol}", symbol, -extra),
        *_exchanged(instrument, extra * price * instrument.quote_unit, worth, against=CAPITAL, currency=currency),
    ]
    return _entries(ref, at, lines)


def of_fill(fill: Fill, *, currency: str, instrument: Instrument) -> tuple[Entry, ...]:
    """Book an execution: units against money of the currency they are quoted in, converted at once, and the fee."""
    moved = fill.side.sign * fill.quantity
    paid = fill.side.sign * fill.notional
    lines: list[tuple[str, str, Decimal]] = [
        (f"position:{fill.symbol}", fill.symbol, moved),
        (f"trading:{fill.symbol}", fill.symbol, -moved),
        *_exchanged(
            instrument, fill.side.sign * fill.quoted * instrument.quote_unit, paid, against=CASH, currency=currency
        ),
    ]
    if fill.fee:
        lines += [(CASH, currency, -fill.fee), (FEES, currency, fill.fee)]
    return _entries(f"fill:{fill.venue}:{fill.account}:{fill.execution_id}", fill.at, lines)


def of_charge(charge: Charge, *, currency: str) -> tuple[Entry, ...]:
    """Book what lending the units of a short cost."""
    return _entries(charge.ref, charge.at, ((CASH, currency, -charge.amount), (BORROW, currency, charge.amount)))


def _exchanged(
    instrument: Instrument, quoted: Decimal, paid: Decimal, *, against: str, currency: str
) -> tuple[tuple[str, str, Decimal], ...]:
    """Book what an exchange cost: `quoted` in the instrument's currency, `paid` in the account's."""
    trading = f"trading:{instrument.symbol}"
    if instrument.currency == currency:
        return (against, currency, -paid), (trading, currency, paid)
    return (
        (against, currency, -paid), (CONVERSION, currency, paid),
        (CONVERSION, instrument.currency, -quoted), (trading, instrument.currency, quoted),
    )  # fmt: skip


def balances(entries: Iterable[Entry]) -> dict[tuple[str, str], Decimal]:
    """Sum the ledger by (account, unit)."""
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for entry in entries:
        sums[entry.account, entry.unit] += entry.amount
    return dict(sums)


def _entries(ref: str, at: datetime, lines: Sequence[tuple[str, str, Decimal]]) -> tuple[Entry, ...]:
    totals: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for _, unit, amount in lines:
        totals[unit] += amount
    if any(totals.values()):
        msg = f"The transaction {ref} does not sum to zero: {dict(totals)}."
        raise ValueError(msg)
    name = transaction_id(ref=ref)
    return tuple(
        Entry(transaction_id=name, line=n, account=account, unit=unit, amount=amount, at=at, ref=ref)
        for n, (account, unit, amount) in enumerate(lines, start=1)
    )
