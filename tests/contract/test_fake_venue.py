"""The venue in memory holds to what it stands for, in each class."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from evil2root.domain.book.orders import Order
from evil2root.domain.core.side import Side
from evil2root.domain.execution.remote import RemoteBroker, Repeat
from tests.contract.remote_broker import RemoteBrokerContract, Rig
from tests.fakes.remote import LONG_AGO, FakeVenue, Fault, VenueBooks


class FakeRig:
    """A hand on the venue in memory, which is its own broker."""

    def __init__(self, repeat: Repeat) -> None:
        self.venue = FakeVenue(VenueBooks(), repeat=repeat)
        self.broker: RemoteBroker = self.venue

    def plan(self, fault: str) -> None:
        self.venue.faults.append(Fault(fault))

    def away(self) -> None:
        self.venue.away = 1

    async def appears(self) -> None:
        await asyncio.sleep(0)
        for kept in self.venue.kept.orders.values():
            kept.appears_in = 0

    def price(self, symbol: str, price: Decimal) -> None:
        self.venue.prices[symbol] = price

    def part(self, quantity: Decimal | None) -> None:
        self.venue.part = quantity

    def execute(self, order: Order, quantity: Decimal) -> None:
        self.venue.execute(order.client_order_id, quantity)

    def reject(self, order: Order) -> None:
        self.venue.reject(order.client_order_id)

    def foreign(self, symbol: str) -> None:
        self.venue.stranger(symbol)
        self.venue.foreign_fill(symbol, Side.BUY, Decimal(2), Decimal(10))

    def garble(self) -> None:
        self.venue.garbled.append("{'id': 'x', 'qty': 'NaN'}")

    def repeat(self) -> None:
        self.venue.told_again = list(self.venue.kept.executions)

    def stir(self) -> None:
        pass

    def cut_stream(self) -> None:
        self.venue.stream_is_cut = True

    def placed(self) -> list[str]:
        return self.venue.kept.placed

    def executed(self) -> list[str]:
        return [f.execution_id for f in self.venue.kept.executions]

    def books(self) -> tuple[Decimal, dict[str, Decimal]]:
        return self.venue.kept.cash, self.venue.kept.positions

    def since(self) -> datetime:
        return LONG_AGO - timedelta(minutes=1)


class TestFakeVenue(RemoteBrokerContract):
    @pytest.fixture(params=list(Repeat))
    def rig(self, request: pytest.FixtureRequest) -> Rig:
        return FakeRig(request.param)
