"""Companies through the real yfinance: every number counts from when it was published, and no earlier."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from yfinance.data import SingletonMeta

from evil2root.adapters.market_data.yahoo_fundamentals import YahooFundamentals
from evil2root.adapters.market_data.yahoo_wire import YahooWire
from evil2root.domain.market.fundamentals import Company, EventKind, FundamentalsUnavailable, Period
from tests.servers.serving import served
from tests.servers.yahoo import YahooServer
from tests.servers.yahoo_charts import Listed

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
PAID = datetime(2026, 5, 11, 13, 30, tzinfo=UTC)
ROW = "<tr><td>ACME</td><td>Acme</td><td>{}</td><td>1.5</td><td>{}</td><td>2</td></tr>"
HEAD = "".join(
    f"<th>{name}</th>"
    for name in ("Symbol", "Company", "Earnings Date", "EPS Estimate", "Reported EPS", "Surprise (%)")
)


def page(*rows: tuple[str, str]) -> str:
    body = "".join(ROW.format(*row) for row in rows)
    return f"<html><table><thead><tr>{HEAD}</tr></thead><tbody>{body}</tbody></table></html>"


def acme(**changes: Any) -> Listed:
    days = [PAID - timedelta(days=i) for i in (2, 1, 0)]
    told: dict[str, Any] = {
        "bars": {"1d": [(at, 10.0, 11.0, 9.0, 10.5, 100.0) for at in days]},
        "dividends": [(PAID, 0.25)],
        "splits": [(days[1], 2, 1)],
        "modules": {
            "summaryDetail": {"marketCap": 3e12, "trailingPE": {"raw": 31.5, "fmt": "31.50"}, "beta": {}, "forwardPE": "Infinity"},
            "financialData": {"debtToEquity": 151.9, "profitMargins": 0.24, "financialCurrency": "USD", "currentRatio": None},
            "calendarEvents": {
                "earnings": {"earningsDate": [1_785_441_600, 1_785_873_600]},  # 30 July and 4 August
                "exDividendDate": 1_786_320_000, "dividendDate": 1_778_716_800,  # 10 August to come, 14 May past
            },
            "secFilings": {"filings": [
                {"date": "2026-05-02", "type": "10-Q"}, {"date": "2026-02-20", "type": "10-K"},
                {"date": "2026-03-30", "type": "10-K/A"}, {"date": "2026-06-01", "type": "8-K"}, {"date": None}, 7,
            ]},
        },
        "series": {
            "quarterlyTotalRevenue": [("2025-09-30", 80.0), ("2025-12-31", 90.0), ("2026-03-31", 100.0)],
            "annualTotalRevenue": [("2025-12-31", 330.0)],
            "quarterlyDilutedEPS": [("2026-03-31", None)],
        },
        "earnings_page": page(
            ("July 30, 2026 at 4 PM EDT", "-"), ("April 30, 2026 at 4 PM EDT", "1.65"), ("October 29, 2025 at 4 PM EDT", "1.4")
        ),
    }  # fmt: skip
    return Listed(**(told | changes))


class World:
    def __init__(self, address: str, server: YahooServer, folder: Path) -> None:
        self.server = server
        self.source = YahooFundamentals(YahooWire(address, folder=folder), clock=self)
        server.listed["ACME"] = acme()

    def now(self) -> datetime:
        return NOW

    async def acme(self) -> Company:
        return await self.source.company("ACME")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    SingletonMeta._instances.clear()
    server = YahooServer()
    async with served(server) as address:
        made = World(address, server, tmp_path)
        yield made
        await made.source.close()


class TestStatements:
    async def test_count_from_their_filing_and_not_from_the_end_of_their_period(self, world: World) -> None:
        told = (await world.acme()).known

        def revenue(day: datetime) -> float | None:
            fact = told(day, period=Period.QUARTER).get("revenue")
            return None if fact is None else fact.value

        # The quarter to March was filed on 2 May, the one to December on 20 February.
        assert revenue(datetime(2026, 5, 3, 11, tzinfo=UTC)) == 90.0
        assert revenue(datetime(2026, 5, 3, 12, tzinfo=UTC)) == 100.0
        assert revenue(datetime(2026, 2, 20, tzinfo=UTC)) == 80.0
        assert told(NOW, period=Period.YEAR)["revenue"].known_from == datetime(2026, 2, 21, 12, tzinfo=UTC)

    async def test_without_a_filing_count_from_the_announcement_and_else_from_now(self, world: World) -> None:
        world.server.listed["ACME"].series["quarterlyTotalRevenue"].append(("2025-06-30", 70.0))

        facts = {f.ended_on: f for f in (await world.acme()).facts if f.period is Period.QUARTER}

        assert facts[date(2025, 9, 30)].known_from == datetime(2025, 10, 30, 12, tzinfo=UTC)
        assert (facts[date(2025, 6, 30)].known_from, facts[date(2025, 6, 30)].is_dated) == (NOW, False)

    async def test_that_are_no_numbers_are_left_out(self, world: World) -> None:
        names = {fact.name for fact in (await world.acme()).facts}

        assert "eps_diluted" not in names


class TestRatios:
    async def test_are_known_from_now_and_written_as_fractions(self, world: World) -> None:
        company = await world.acme()

        told = {name: fact.value for name, fact in company.known(NOW, period=Period.NOW).items()}
        assert told == {
            "market_cap": 3e12, "price_to_earnings": 31.5, "debt_to_equity": pytest.approx(1.519), "profit_margin": 0.24,
        }  # fmt: skip
        assert company.known(NOW - timedelta(seconds=1), period=Period.NOW) == {}
        assert (company.currency, company.told_at) == ("USD", NOW)


class TestEvents:
    async def test_to_come_are_known_from_now_and_past_ones_from_when_they_happened(self, world: World) -> None:
        company = await world.acme()

        earnings = [event for event in company.events if event.kind is EventKind.EARNINGS]
        assert [(e.at, e.known_from, e.value) for e in earnings] == [
            (datetime(2025, 10, 29, 20, tzinfo=UTC), datetime(2025, 10, 29, 20, tzinfo=UTC), 1.4),
            (datetime(2026, 4, 30, 20, tzinfo=UTC), datetime(2026, 4, 30, 20, tzinfo=UTC), 1.65),
            (datetime(2026, 7, 30, 20, tzinfo=UTC), NOW, None),
        ]
        coming = company.ahead(NOW, kind=EventKind.EX_DIVIDEND)
        assert coming is not None
        assert coming.at == datetime(2026, 8, 10, tzinfo=UTC)
        assert company.ahead(NOW - timedelta(days=1), kind=EventKind.EX_DIVIDEND) is None

    async def test_tell_dividends_and_splits_that_happened(self, world: World) -> None:
        told = {(e.kind, e.at): e.value for e in (await world.acme()).events}

        assert told[EventKind.EX_DIVIDEND, PAID] == 0.25
        assert told[EventKind.SPLIT, PAID - timedelta(days=1)] == 2.0
        assert told[EventKind.DIVIDEND_PAID, datetime(2026, 5, 14, tzinfo=UTC)] is None


class TestFailures:
    async def test_of_any_part_are_unavailable(self, world: World) -> None:
        await world.acme()
        asked = len(world.server.asked)

        for place in range(4):
            for fault in ("busy", "error", "cut", "consent", "null"):
                if place == 3 and fault in ("consent", "null"):
                    continue  # a page without a table is a company without announced dates
                world.server.planned.clear()
                world.server.planned.extend(["none"] * place + [fault] * 2)
                with pytest.raises(FundamentalsUnavailable, match="Yahoo tells nothing of the company ACME"):
                    await world.acme()
        assert len(world.server.asked) > asked

    async def test_of_a_symbol_nobody_knows(self, world: World) -> None:
        with pytest.raises(FundamentalsUnavailable, match="Quote not found"):
            await world.source.company("GONE")

    @pytest.mark.parametrize("symbol", ["BTC-USD", "EURUSD=X", "^GSPC", "ACME.QQ"])
    async def test_nobody_is_asked_of_what_publishes_nothing(self, tmp_path: Path, symbol: str) -> None:
        source = YahooFundamentals(YahooWire("http://127.0.0.1:9", folder=tmp_path), clock=World.__new__(World))

        with pytest.raises(FundamentalsUnavailable, match=r"no company|names no exchange"):
            await source.company(symbol)

    async def test_a_company_without_anything_is_told_so(self, world: World) -> None:
        world.server.listed["ACME"] = acme(
            modules={}, series={}, earnings_page="<html></html>", dividends=[], splits=[]
        )

        company = await world.acme()

        assert (company.facts, company.events, company.currency) == ((), (), None)
