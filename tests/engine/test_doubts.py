"""Orders that a venue may not have: looked for twice, apart, over restarts too, and only then given up."""

from dataclasses import replace
from datetime import timedelta

import pytest

from evil2root.domain.book.orders import OrderState
from evil2root.engine import watching
from tests.engine.test_outside import a_venue, rules, start_of, told, until
from tests.fakes.remote import Fault
from tests.fakes.trading import Books, an_engine_outside


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Milliseconds instead of seconds."""
    monkeypatch.setattr(watching, "ASK_EVERY_S", 0.004)
    monkeypatch.setattr(watching, "ASK_GAP_S", 0.001)
    monkeypatch.setattr(watching, "WAIT_MOST_S", 0.01)
    monkeypatch.setattr(watching, "APART_S", 0.03)


async def test_an_order_the_venue_never_had_is_looked_for_twice_and_then_given_up() -> None:
    frames, books, venue = told(14), Books(), a_venue()
    venue.faults.append(Fault.DROP_BEFORE)
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames), quarantine_s=0.05)

    await until(engine)

    lost = [o for o in books.orders.values() if o.state is OrderState.NOT_PLACED]
    assert len(lost) == 1
    assert "twice" in lost[0].why_state
    assert venue.submits.count(lost[0].client_order_id) == 1, "a venue of this class is never sent the same twice"


@pytest.mark.parametrize(("apart_s", "quarantine_s"), [(0.0, 1_000.0), (1_000.0, 0.0)])
async def test_not_founds_too_soon_or_too_near_each_other_end_no_doubt(
    monkeypatch: pytest.MonkeyPatch, apart_s: float, quarantine_s: float
) -> None:
    monkeypatch.setattr(watching, "APART_S", apart_s)
    frames, books, venue = told(14), Books(), a_venue()
    venue.faults.append(Fault.DROP_BEFORE)
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames), quarantine_s=quarantine_s)

    await until(engine, lambda: venue.not_founds >= 10)

    assert OrderState.NOT_PLACED not in {o.state for o in books.orders.values()}
    assert [o.state for o in books.orders.values()].count(OrderState.UNKNOWN) == 1


async def test_a_not_found_of_an_earlier_start_counts_when_every_start_is_short() -> None:
    frames, books, venue = told(14), Books(), a_venue()
    venue.faults.append(Fault.DROP_BEFORE)
    first = an_engine_outside(rules(), frames, books, venue, start=start_of(frames), quarantine_s=60.0)
    await until(first, lambda: any(o.not_found_at is not None for o in books.orders.values()))
    (lost,) = [o for o in books.orders.values() if o.state is OrderState.UNKNOWN]
    assert lost.not_found_at is not None
    ago = timedelta(minutes=2)  # the machine was off for as long
    books.orders[lost.client_order_id] = replace(
        lost, updated_at=lost.updated_at - ago, not_found_at=lost.not_found_at - ago
    )
    asked = venue.not_founds

    again = an_engine_outside(rules(), frames, books, venue, start=start_of(frames), quarantine_s=60.0)
    await until(again, lambda: books.orders[lost.client_order_id].state is OrderState.NOT_PLACED)

    assert asked < venue.not_founds <= asked + 2, "the first answer is enough; a busy machine asks once more meanwhile"
    assert books.orders[lost.client_order_id].not_found_at is None
    assert venue.submits.count(lost.client_order_id) == 1
