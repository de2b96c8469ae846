"""Recomputes what the books say from what was written, and names the first thing that does not hold."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.audit import GENESIS, chained
from evil2root.adapters.postgres.codec import FILL
from evil2root.adapters.postgres.verify_rules import EVENTS, LEDGER, ORDERS, SEALS, STATE, Rule
from evil2root.domain.book import ledger
from evil2root.domain.core.instrument import instrument_for
from evil2root.engine.reads import Breach


async def first_breach(engine: AsyncEngine) -> Breach | None:
    """Check every account on one unmoving picture of the database: first each row by its seal, then what they say."""
    still = engine.execution_options(isolation_level="REPEATABLE READ")
    async with still.connect() as connection:
        return (
            await _breach_of_rules(connection, SEALS)
            or await _breach_of_rules(connection, LEDGER)
            or await _breach_of_rules(connection, ORDERS)
            or await _breach_of_bookings(connection)
            or await _breach_of_rules(connection, EVENTS)
            or await _breach_of_rules(connection, STATE)
            or await _breach_of_audit(connection)
        )


async def _breach_of_rules(connection: AsyncConnection, rules: Sequence[Rule]) -> Breach | None:
    for rule in rules:
        row = (await connection.execute(text(rule.breach))).mappings().first()
        if row is not None:
            return Breach(table=rule.table, row=row["row"], says=rule.says.format_map(_plain(row)))
    return None


def _plain(row: RowMapping) -> dict[str, object]:
    return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in row.items()}


async def _breach_of_bookings(connection: AsyncConnection) -> Breach | None:
    """Book every fill again, and compare line by line with what was booked."""
    fill, entry = tables.fills, tables.ledger_entries
    ref = "fill:" + fill.c.venue + ":" + fill.c.account + ":" + fill.c.execution_id
    cash = tables.ledger_entries.alias("cash")
    currency = select(cash.c.unit).where(cash.c.book == fill.c.account, cash.c.account == ledger.CASH).limit(1)
    query = (
        select(
            fill, currency.scalar_subquery().label("currency"), entry.c.line, entry.c.transaction_id,
            entry.c.account.label("into"), entry.c.unit, entry.c.amount, entry.c.at.label("entered_at"),
        )
        .select_from(fill.outerjoin(entry, (entry.c.book == fill.c.account) & (entry.c.ref == ref)))
        .order_by(fill.c.number, entry.c.line)
    )  # fmt: skip
    async with connection.stream(query) as result:
        lines: list[RowMapping] = []
        async for row in result.mappings():
            if lines and lines[0]["number"] != row["number"]:
                breach = _breach_of_booking(lines)
                if breach is not None:
                    return breach
                lines = []
            lines.append(row)
    return _breach_of_booking(lines) if lines else None


def _breach_of_booking(lines: Sequence[RowMapping]) -> Breach | None:
    fill = FILL.value(lines[0])
    wanted = [
        (e.line, e.transaction_id, e.account, e.unit, e.amount, e.at)
        for e in ledger.of_fill(fill, currency=str(lines[0]["currency"]), instrument=instrument_for(fill.symbol))
    ]
    names = ("line", "transaction_id", "into", "unit", "amount", "entered_at")
    found = [tuple(line[name] for name in names) for line in lines if line["line"] is not None]
    if found == wanted:
        return None
    missing = [
        f"{unit} {amount} into {into}" for _, _, into, unit, amount, _ in wanted if not _has(found, into, unit, amount)
    ]
    says = f"Its ledger lines are not those of the fill: missing {', '.join(missing)}." if missing else (
        f"It has {len(found)} ledger lines; the fill makes {len(wanted)}, and these are not them."
    )  # fmt: skip
    return Breach(table="fills", row=fill.execution_id, says=says)


def _has(found: Sequence[tuple[Any, ...]], into: str, unit: str, amount: object) -> bool:
    return any(line[2:5] == (into, unit, amount) for line in found)


async def _breach_of_audit(connection: AsyncConnection) -> Breach | None:
    """Walk the chain from its first line."""
    log, previous, place = tables.audit_log, GENESIS, 0
    async with connection.stream(select(log).order_by(log.c.seq)) as result:
        async for row in result.mappings():
            place += 1
            if row["seq"] != place:
                return Breach(table="audit_log", row=str(place), says=f"Line {place} is missing: {row['seq']} is next.")
            if row["hash"] != chained(previous, row):
                says = "Its hash does not follow from it and the line before: one of the two was changed."
                return Breach(table="audit_log", row=str(place), says=says)
            previous = row["hash"]
    return None
