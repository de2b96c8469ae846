"""What is around a symbol is gathered once for all, and what lacks is missing."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.around.family import US_NEIGHBOURS, Role
from evil2root.domain.market.around.registry import features_around
from evil2root.domain.market.fundamentals import Company, CompanyEvent, EventKind, FundamentalsUnavailable
from evil2root.engine.surroundings import Surroundings
from tests.domain.market.series import ORIGIN, a_series

UNTIL = ORIGIN + timedelta(days=400)
SYMBOLS = ("AAPL", "XOM", "BTC-USD", "^GSPC")


class FakeShelf:
    """Has bars of everything but rates."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def series(self, symbol: str, interval: Interval, *, until: datetime | None) -> pl.DataFrame:
        assert (interval, until) == (Interval.D1, UNTIL)
        self.asked.append(symbol)
        return a_series(0 if symbol == "^TNX" else 90, seed=sum(map(ord, symbol)))


class FakeFundamentals:
    name = "fake"

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def company(self, symbol: str) -> Company:
        self.asked.append(symbol)
        if symbol == "XOM":
            msg = "away"
            raise FundamentalsUnavailable(msg)
        event = CompanyEvent(kind=EventKind.EARNINGS, at=UNTIL, known_from=ORIGIN)
        return Company(symbol=symbol, source="fake", told_at=ORIGIN, facts=(), events=(event,))


@pytest.fixture
def shelf() -> FakeShelf:
    return FakeShelf()


async def test_each_series_is_read_once_for_all_symbols(shelf: FakeShelf) -> None:
    around = await Surroundings(shelf, neighbours=US_NEIGHBOURS).around(
        [instrument_for(symbol) for symbol in SYMBOLS], Interval.D1, until=UNTIL
    )

    assert sorted(shelf.asked) == sorted({*SYMBOLS, "^VIX", "^TNX", "XLK", "XLE"})
    assert set(around["AAPL"].series) == {Role.INDEX, Role.VOLATILITY, Role.SECTOR}
    assert set(around["BTC-USD"].series) == {Role.INDEX, Role.VOLATILITY}  # it has no sector
    assert Role.INDEX not in around["^GSPC"].series  # an index is not its own neighbour
    assert around["BTC-USD"].session == instrument_for("BTC-USD").session


@pytest.mark.parametrize(
    ("days", "lacking"), [(7, ("^TNX",)), (8, ("XLE", "XLK", "^GSPC", "^TNX", "^VIX"))], ids=["new", "old"]
)
async def test_neighbours_of_which_nothing_new_enough_is_stored_are_named(
    shelf: FakeShelf, days: int, lacking: tuple[str, ...]
) -> None:
    instruments = [instrument_for(symbol) for symbol in SYMBOLS]
    surroundings = Surroundings(shelf, neighbours=US_NEIGHBOURS)
    around = await surroundings.around(instruments, Interval.D1, until=UNTIL)
    newest = (await shelf.series("AAPL", Interval.D1, until=UNTIL))["closed_at"][-1]

    found = surroundings.lacking(instruments, around, last=dict.fromkeys(SYMBOLS, newest + timedelta(days=days)))

    assert found == lacking  # a coin lacks no sector


async def test_features_come_of_it(shelf: FakeShelf) -> None:
    around = await Surroundings(shelf, neighbours=US_NEIGHBOURS, fundamentals=FakeFundamentals()).around(
        [instrument_for(symbol) for symbol in SYMBOLS], Interval.D1, until=UNTIL
    )

    last = features_around(await shelf.series("AAPL", Interval.D1, until=UNTIL), around["AAPL"]).row(-1, named=True)

    told = {name for name, value in last.items() if value is not None}
    assert {"index_beta_60", "sector_excess_5", "rank_ret_5", "earnings_in_days", "session_part"} <= told
    assert last["rate"] is None


async def test_a_company_nobody_tells_of_has_no_events(shelf: FakeShelf) -> None:
    fundamentals = FakeFundamentals()

    around = await Surroundings(shelf, neighbours=US_NEIGHBOURS, fundamentals=fundamentals).around(
        [instrument_for(symbol) for symbol in ("AAPL", "XOM", "BTC-USD")], Interval.D1, until=UNTIL
    )

    assert sorted(fundamentals.asked) == ["AAPL", "XOM"]
    assert (len(around["AAPL"].events), around["XOM"].events) == (1, ())
