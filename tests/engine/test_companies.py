"""Companies are asked for once in some hours, and failures are not remembered."""

import asyncio
from datetime import timedelta

import pytest

from evil2root.domain.market.fundamentals import Company, FundamentalsUnavailable
from evil2root.engine import companies
from evil2root.engine.companies import RememberedFundamentals
from tests.fakes.sources import SteppedClock


class FakeFundamentals:
    name = "fake"

    def __init__(self, clock: SteppedClock) -> None:
        self.clock, self.asked, self.fails = clock, list[str](), False

    async def company(self, symbol: str) -> Company:
        self.asked.append(symbol)
        await asyncio.sleep(0)
        if self.fails:
            raise FundamentalsUnavailable(symbol)
        return Company(symbol=symbol, source=self.name, told_at=self.clock.now(), facts=(), events=())


@pytest.fixture
def source() -> FakeFundamentals:
    return FakeFundamentals(SteppedClock())


async def test_asks_anew_when_an_answer_is_old(source: FakeFundamentals) -> None:
    remembered = RememberedFundamentals(source, clock=source.clock, kept=timedelta(hours=1))

    first = await remembered.company("A")
    again = await remembered.company("A")
    source.clock.pass_by(3_601)
    later = await remembered.company("A")

    assert first is again
    assert later.told_at > first.told_at
    assert source.asked == ["A", "A"]
    assert remembered.name == "fake"


async def test_asks_once_for_all_who_wait(source: FakeFundamentals) -> None:
    remembered = RememberedFundamentals(source, clock=source.clock)

    await asyncio.gather(*(remembered.company(name) for name in "ABAABB"))

    assert sorted(source.asked) == ["A", "B"]


async def test_forgets_failures_and_the_one_longest_not_asked_for(
    source: FakeFundamentals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companies, "KEPT_MAX", 2)
    remembered = RememberedFundamentals(source, clock=source.clock)
    source.fails = True
    with pytest.raises(FundamentalsUnavailable):
        await remembered.company("A")
    source.fails = False

    for name in "ABACBA":
        await remembered.company(name)

    assert source.asked == ["A", "A", "B", "C", "B", "A"]
