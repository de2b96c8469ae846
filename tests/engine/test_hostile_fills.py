"""A hundred thousand reports of executions, most of them lies: each true one is booked once, and trading goes on."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from evil2root.domain.book.fills import Fill
from evil2root.domain.core.money import Money, Price, Quantity
from evil2root.domain.kernel.events import FillArrived
from tests.engine.test_outside import a_venue, assert_the_same, rules, start_of, told, until
from tests.fakes.trading import Books, an_engine_outside

REPORTS, PAGE = 100_000, 500


def lies(true: list[Fill], chance: np.random.Generator) -> Iterator[Fill]:
    """Repeat true executions of one symbol, twist them, and tell others that never were."""
    number = 0
    while True:
        number += 1
        one = true[int(chance.integers(len(true)))]
        new = f"lie-{int(chance.integers(2_000))}"
        match int(chance.integers(8)):
            case 0 | 1:
                yield one
            case 2:
                yield replace(one, price=Price(one.price * 2))
            case 3:
                yield replace(one, execution_id=new)
            case 4:
                yield replace(one, execution_id=new, side=one.side.opposite)
            case 5:
                yield replace(one, execution_id=new, client_order_id="")
            case 6:
                yield replace(one, execution_id=new, quantity=Quantity(Decimal(10) ** int(chance.integers(1, 30))))
            case _:
                yield replace(one, execution_id=new, fee=Money(Decimal(10**9)), client_order_id=f"nobody-{number % 99}")


@pytest.mark.long
async def test_each_true_one_is_booked_once_and_only_the_symbol_lied_about_is_frozen() -> None:
    frames, books, venue = told(40), Books(), a_venue()
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))
    await until(engine)
    before = dict(books.fills)
    true = [fill for fill in before.values() if fill.symbol == "AAPL"]
    reports = lies(true, np.random.default_rng(7))

    for _ in range(REPORTS // PAGE):
        await engine.performer.turn(*(FillArrived(fill=next(reports)) for _ in range(PAGE)))

    assert books.fills == before
    assert_the_same(books, venue)
    assert set(engine.performer.state.carry.frozen) == {"AAPL"}
    keys = [(park.kind, park.key) for park in books.parked]
    assert len(set(keys)) == len(keys) > 1_000
    again = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))
    await until(again)
    assert_the_same(books, venue)
