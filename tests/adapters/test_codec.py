"""What is stored comes back as it was: floats to the last bit, decimals to the last digit, times in UTC."""

import json
import struct
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.codec import CARRY, ORDER, POSITION, VENUE_ACCOUNT, decision_of, decision_row
from evil2root.domain.book.protection import Protect
from evil2root.domain.core.money import Money, Price
from evil2root.domain.decision.verdict import Factor, Ruling, Verdict
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.record import Decision
from evil2root.domain.kernel.state import Carry
from evil2root.domain.risk.breaker import Breaker, BreakerState
from tests.adapters.kernel_runs import a_run

RUN = a_run(days=9)
DECISION = [k.decision for keeps, _ in RUN.steps for k in keeps if isinstance(k, do.KeepDecision)][-1]
ORDER_KEPT = next(iter(RUN.state.orders.values()))
POSITION_HELD = next(iter(RUN.state.portfolio.positions.values()))

floats = st.floats()  # NaN, the infinities, -0.0 and the subnormal ones too
decimals = st.decimals(allow_nan=False, allow_infinity=False)
prices = st.decimals(min_value=Decimal("1e-10"), max_value=Decimal("1e12"), places=10).map(Price)
times = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(fold=0))  # nothing happens twice in UTC
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack(">d", value)


def bits_of(features: Any) -> dict[str, bytes | None]:
    # The sign and the payload of a NaN have no spelling; that it is one has.
    return {name: b"nan" if value != value else bits(value) for name, value in features.items()}  # noqa: PLR0124


def all_bits(value: Any) -> Any:
    """Spell out a value so that equal means equal to the last bit. pydantic's UTC is called otherwise, and equal."""
    return repr(value).replace("TzInfo(0)", repr(UTC))


def through(kept: Decision) -> Decision:
    row = decision_row(kept)
    # jsonb: numbers become numeric, which has one zero only; then they are spelled without exponent.
    numeric = {
        name: value if value is None or isinstance(value, str) else Decimal(str(value)) + 0
        for name, value in json.loads(row["features"]).items()
    }
    spelled = {
        name: f"{value:f}" if isinstance(value, Decimal) else json.dumps(value) for name, value in numeric.items()
    }
    features = "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in spelled.items()) + "}"
    return decision_of({**row, "features": features})


@given(st.dictionaries(words, st.none() | floats, max_size=8))
def test_features_come_back_to_the_last_bit(features: dict[str, float | None]) -> None:
    kept = replace(DECISION, features=features)

    assert bits_of(through(kept).features) == bits_of(features)


@given(floats, floats, words, st.floats(0, 1), times)
def test_a_decision_comes_back_with_all_it_rests_on(
    value: float, limit: float, reason: str, score: float, at: datetime
) -> None:
    factor = Factor(name="f", score=score, weight=0.1, value=value, limit=limit, veto=True, reason=reason)
    verdict = Verdict(
        ruling=Ruling.REDUCE, confidence=score, size_factor=1.0, factors=(factor,), by="rules", reason=reason
    )
    kept = replace(DECISION, verdict=verdict, why=reason, at=at)

    found = through(kept)

    assert found.verdict is not None
    assert all_bits(found.verdict) == all_bits(verdict)
    assert (found.at, found.why) == (at, reason)
    assert replace(found, verdict=None) == replace(kept, verdict=None)


@given(prices, decimals, decimals, times, words)
def test_orders_and_positions_come_back_to_the_last_digit(
    price: Price, stop: Decimal, value: Decimal, at: datetime, why: str
) -> None:
    protect = Protect(stop=abs(stop) or None, target=None, relative=False)
    order = replace(ORDER_KEPT, price=price, protect=protect, live_from=at, why_state=why, bar_at=at)
    position = replace(POSITION_HELD, average_price=price, realised=Money(value), opened_at=at, best_price=price)

    assert all_bits(ORDER.value(ORDER.row(order, epoch=1))) == all_bits(order)
    assert all_bits(POSITION.value(POSITION.row(position, account="paper"))) == all_bits(position)


@given(st.dictionaries(words, prices, max_size=6), decimals, st.none() | st.dates(), st.none() | times, words)
def test_what_is_carried_comes_back_in_its_order(
    marks: dict[str, Price], equity: Decimal, day: date | None, closed_at: datetime | None, reason: str
) -> None:
    breaker = Breaker(state=BreakerState.HALTED, reason=reason, by="ann", at=closed_at)
    carry = Carry(decisions=2**40, equity=Money(equity), day=day, marks=marks, breaker=breaker, closed_at=closed_at)

    found = CARRY.value(CARRY.text(carry))

    assert all_bits(found) == all_bits(carry)
    assert list(found.marks) == list(marks)


def test_the_venues_account_comes_back_in_its_order() -> None:
    found = VENUE_ACCOUNT.value(VENUE_ACCOUNT.text(RUN.account))

    assert found == RUN.account
    assert list(found.working) == list(RUN.account.working)


@pytest.mark.parametrize(("shape", "value"), [(ORDER, ORDER_KEPT), (POSITION, POSITION_HELD)])
def test_no_field_is_stored_twice(shape: Any, value: Any) -> None:
    row = shape.row(value)

    in_record = set(json.loads(row["record"]))
    assert in_record.isdisjoint(shape.columns)
    assert in_record | set(shape.columns) == {field.name for field in fields(value)}


@pytest.mark.postgres
@given(features=st.dictionaries(words, st.none() | floats, max_size=8), number=decimals, why=words)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
async def test_the_server_gives_back_what_it_was_given(
    engine: AsyncEngine, features: dict[str, float | None], number: Decimal, why: str
) -> None:
    kept = replace(DECISION, features=features, price=number, why=why)
    table = tables.decisions
    async with engine.connect() as connection:  # rolled back at the end
        await connection.execute(insert(table), decision_row(kept))

        row = (await connection.execute(select(table))).mappings().one()

    found = decision_of(row)
    assert bits_of(found.features) == bits_of(features)
    assert all_bits(replace(found, features={})) == all_bits(replace(kept, features={}))


@pytest.mark.postgres
@given(number=decimals)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
async def test_numeric_columns_round_nothing(connection: asyncpg.Connection, number: Decimal) -> None:
    assert await connection.fetchval("SELECT $1::NUMERIC", number) == number
