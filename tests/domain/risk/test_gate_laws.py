"""Laws of the gate: no yes outside a limit, in flight included, in whatever order the answers come; a size fits."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.domain.core.money import Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.risk.breaker import Breaker
from evil2root.domain.risk.gate import Approved, judge_entry
from evil2root.domain.risk.limits import Limits
from evil2root.domain.risk.methods import RiskAtStop
from evil2root.domain.risk.sizing import size
from tests.builders import an_order
from tests.domain.risk.gate_world import World
from tests.domain.risk.makers import SHARE, a_company, a_proposal, exposure

ORDERS, WORLDS = 400, 50
"""20,000 entries asked for; `python -m benchmarks gate_law` asks for a million."""


@pytest.mark.slow
@settings(max_examples=WORLDS, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_order_of_answers_lets_an_entry_pass_outside_a_limit(seed: int) -> None:
    world = World(np.random.default_rng(seed))

    world.live(ORDERS)

    assert world.approved > 0
    assert {s: p.quantity for s, p in world.state.portfolio.positions.items()} == world.held


@given(
    equity=st.integers(1, 10**6), cash=st.integers(-(10**5), 10**6), gross=st.integers(0, 10**6),
    symbol=st.integers(0, 10**5), price=st.integers(1, 5_000), factor=st.integers(0, 100), heat=st.integers(0, 10**5),
    cluster=st.integers(0, 10**6), net=st.integers(-(10**6), 10**6), short=st.booleans(),
)  # fmt: skip
def test_what_was_sized_passes_the_gate_and_one_lot_more_than_the_binding_cap_does_not(  # noqa: PLR0913 - what limits are about
    equity: int, cash: int, gross: int, symbol: int, price: int, factor: int, heat: int, cluster: int, net: int,
    short: bool,
) -> None:  # fmt: skip
    side, limits = (Side.SELL if short else Side.BUY), Limits()
    good, half = Decimal(price), Decimal(price) / 2
    seen = exposure(
        equity=Decimal(equity), cash=Decimal(cash), gross=Decimal(gross), symbol=Decimal(symbol), heat=Decimal(heat),
        net=Decimal(net), last_price=good, previous_close=good, company=a_company(cluster_used=Decimal(cluster)),
    )  # fmt: skip
    proposal = a_proposal(side=side, entry=str(price), stop=str(good + half if short else half))
    found = size(
        proposal, price=good, factor=Decimal(factor) / 100, exposure=seen, method=RiskAtStop(), limits=limits,
        instrument=SHARE,
    )  # fmt: skip
    if found.quantity == 0:
        return

    def judged(quantity: Decimal) -> object:
        order = replace(an_order(side, 1, protect=proposal.protect), quantity=Quantity(quantity))
        return judge_entry(
            order, price=good, exposure=seen, limits=limits, breaker=Breaker(), instrument=SHARE
        )  # fmt: skip

    assert isinstance(judged(found.quantity), Approved)
    binding = [line for line in found.lines if line.binds]
    if binding:
        assert not isinstance(judged(found.quantity + SHARE.lot), Approved)
