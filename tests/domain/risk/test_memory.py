"""What the risk rules remember."""

from datetime import timedelta
from decimal import Decimal

from evil2root.domain.core.money import Money
from evil2root.domain.core.side import Side
from evil2root.domain.risk.memory import MINUTE, SECOND, RiskMemory, Sent
from tests.builders import DAY_ONE


def sent(seconds: float, *, symbol: str = "AAPL", quantity: int = 10) -> Sent:
    return Sent(symbol=symbol, side=Side.BUY, quantity=Decimal(quantity), at=DAY_ONE + timedelta(seconds=seconds))


def remembered(*entries: Sent) -> RiskMemory:
    memory = RiskMemory()
    for entry in entries:
        memory = memory.remembering(entry)
    return memory


class TestSentWithin:
    def test_counts_by_second_minute_and_day(self) -> None:
        memory = remembered(*(sent(s) for s in (0, 30, 59, 59.5)))
        at = DAY_ONE + timedelta(seconds=59.9)

        assert (memory.sent_within(SECOND, at), memory.sent_within(MINUTE, at)) == (2, 4)
        assert memory.sent_on(at.date()) == 4
        assert memory.sent_on(at.date() + timedelta(days=1)) == 0

    def test_forgets_after_a_minute_and_starts_each_day_at_nothing(self) -> None:
        memory = remembered(sent(0), sent(60), sent(86_400))

        assert [one.at for one in memory.sent] == [DAY_ONE + timedelta(days=1)]
        assert memory.sent_today == 1

    def test_counts_what_another_market_tells_later_of_an_earlier_moment(self) -> None:
        assert remembered(sent(30)).sent_within(MINUTE, DAY_ONE) == 1


class TestSame:
    def test_names_quantities_of_the_same_symbol_and_side(self) -> None:
        memory = remembered(sent(0, quantity=5), sent(10), sent(20, symbol="MSFT"))

        assert memory.same("AAPL", Side.BUY, DAY_ONE + timedelta(seconds=30)) == (Decimal(5), Decimal(10))
        assert memory.same("AAPL", Side.BUY, DAY_ONE + timedelta(seconds=65)) == (Decimal(10),)
        assert memory.same("AAPL", Side.SELL, DAY_ONE) == ()


class TestDrawdown:
    def test_is_measured_from_the_peak_and_not_moved_by_deposits(self) -> None:
        memory = RiskMemory().marked(Money(Decimal(100)), capital=Money(Decimal(100)))
        after = memory.marked(Money(Decimal(190)), capital=Money(Decimal(200)))

        assert after.peak == 200
        assert after.drawdown(Decimal(190)) == Decimal("0.05")
        assert after.drawdown(Decimal(210)) == 0

    def test_begins_anew_when_a_person_resumes(self) -> None:
        memory = RiskMemory(losses=3, rejections=2).marked(Money(Decimal(100)), capital=Money(Decimal(100)))

        after = memory.forgiven(Money(Decimal(60)), capital=Money(Decimal(100)))

        assert after.drawdown(Decimal(60)) == 0
        assert (after.losses, after.rejections) == (0, 0)

    def test_is_nothing_before_there_was_money(self) -> None:
        assert RiskMemory().drawdown(Decimal(5)) == 0
