"""Companies as Yahoo tells them: statements, ratios, earnings and dividend dates.

Facts about them: statements are dated by the end of their period only; when they were published is taken from the list
of filings (10-Q, 10-K and their like), else from the table of earnings dates, else they count from now. Yahoo tells the
newest version of a number: one that was restated counts from its first report on, with today's value. That is right for
decisions from now on, and wrong by the restatement in a study of the past.

yfinance carries requests with its cookie and crumb, and reads the page of earnings dates. Statements and ratios are read
here from the same answers: its tables lose the currency, and trip over a company that does not report by quarters.
"""

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from evil2root.adapters.market_data.yahoo_wire import REAL, YahooEmpty, YahooWire
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import AssetClass, instrument_for
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.fundamentals import (
    DAY_OVER,
    Company,
    CompanyEvent,
    EventKind,
    Fact,
    FundamentalsUnavailable,
    Period,
    published,
)

Facts = dict[str, Any]

STATEMENTS = {
    "TotalRevenue": "revenue", "GrossProfit": "gross_profit", "OperatingIncome": "operating_income", "EBITDA": "ebitda",
    "NetIncome": "net_income", "DilutedEPS": "eps_diluted", "TotalAssets": "assets",
    "TotalLiabilitiesNetMinorityInterest": "liabilities", "StockholdersEquity": "equity", "TotalDebt": "debt",
    "CashAndCashEquivalents": "cash", "CurrentAssets": "current_assets", "CurrentLiabilities": "current_liabilities",
    "OperatingCashFlow": "operating_cash_flow", "CapitalExpenditure": "capital_expenditure",
    "FreeCashFlow": "free_cash_flow", "OrdinarySharesNumber": "shares",
}  # fmt: skip
"""Rows of the statements, by Yahoo's name."""
PERIODS = {"quarterly": Period.QUARTER, "annual": Period.YEAR}

RATIOS = {
    "summaryDetail": {
        "marketCap": "market_cap", "trailingPE": "price_to_earnings", "forwardPE": "price_to_expected_earnings",
        "priceToSalesTrailing12Months": "price_to_sales", "dividendYield": "dividend_yield",
        "payoutRatio": "payout_ratio", "beta": "beta",
    },
    "defaultKeyStatistics": {
        "priceToBook": "price_to_book", "enterpriseToEbitda": "enterprise_to_ebitda", "sharesOutstanding": "shares_outstanding",
        "floatShares": "float_shares", "shortPercentOfFloat": "short_of_float", "trailingEps": "eps_trailing",
        "forwardEps": "eps_expected", "bookValue": "book_value_per_share",
    },
    "financialData": {
        "profitMargins": "profit_margin", "operatingMargins": "operating_margin", "returnOnEquity": "return_on_equity",
        "returnOnAssets": "return_on_assets", "debtToEquity": "debt_to_equity", "currentRatio": "current_ratio",
        "revenueGrowth": "revenue_growth", "earningsGrowth": "earnings_growth",
    },
}  # fmt: skip
"""Numbers as of now, by the part of the quote summary they stand in."""
IN_PERCENT = ("debt_to_equity",)

FILINGS_OF_YEARS = ("10-K", "10-KT", "20-F", "40-F")
FILINGS = ("10-Q", *FILINGS_OF_YEARS)
"""First reports; an amendment (10-K/A) is not one."""
EARNINGS_MAX = 50
"""Rows of the table of earnings dates: twelve years of quarters."""
ACTIONS_OF = "10y"
SERIES_FROM = date(2010, 1, 1)
"""Yahoo gives four years or five quarters whatever is asked."""


class YahooFundamentals:
    """`Fundamentals` of companies; five requests each, asked anew each time (`engine/companies.py` remembers)."""

    name = "yfinance"

    def __init__(self, wire: YahooWire, *, clock: Clock) -> None:
        self._wire, self._clock = wire, clock

    async def company(self, symbol: str) -> Company:
        """Ask for all there is. Raises `FundamentalsUnavailable` when a part of it can't be had."""
        _require_company(symbol)
        now = self._clock.now()

        def question(library: Any, session: Any) -> Company:
            from yfinance.data import YfData  # noqa: PLC0415 - see `yahoo_wire`

            data = YfData(session=session)
            modules = ",".join((*RATIOS, "calendarEvents", "secFilings"))
            summary = data.get_raw_json(
                f"{REAL}/v10/finance/quoteSummary/{symbol}", params={"modules": modules, "formatted": "false"}
            )
            types = ",".join(f"{period}{name}" for period in PERIODS for name in STATEMENTS)
            span = {"period1": _epoch(SERIES_FROM), "period2": int((now + timedelta(days=1)).timestamp())}
            series = data.get_raw_json(
                f"{REAL}/ws/fundamentals-timeseries/v1/finance/timeseries/{symbol}",
                params={"symbol": symbol, "type": types, **span},
            )
            ticker = library.Ticker(symbol, session=session)
            actions = ticker.get_dividends(period=ACTIONS_OF), ticker.get_splits(period=ACTIONS_OF)
            return _company(symbol, now, summary, series, ticker.get_earnings_dates(limit=EARNINGS_MAX), actions)

        try:
            return await self._wire.ask(question)
        except (BarsUnavailable, YahooEmpty) as problem:
            msg = f"Yahoo tells nothing of the company {symbol}: {problem}"
            raise FundamentalsUnavailable(msg) from problem

    async def close(self) -> None:
        """Give up the threads."""
        self._wire.close()


def _require_company(symbol: str) -> None:
    try:
        is_company = instrument_for(symbol).asset_class is AssetClass.EQUITY and not symbol.startswith("^")
    except ValueError as strange:
        raise FundamentalsUnavailable(str(strange)) from strange
    if not is_company:
        msg = f"{symbol} is no company: it publishes nothing."
        raise FundamentalsUnavailable(msg)


def _company(  # noqa: PLR0913 - the parts of an answer
    symbol: str, now: datetime, summary: Any, series: Any, earnings: Any, actions: tuple[Any, Any]
) -> Company:
    told = _first(summary, "quoteSummary")
    announced = list(_announced(earnings, now))
    filings = list(_filings(told))
    facts = [*_ratios(told, now), *_statements(series, filings, [event.at.date() for event in announced], now)]
    currency = _part(told, "financialData").get("financialCurrency")
    return Company(
        symbol=symbol, source="yfinance", told_at=now, facts=tuple(facts),
        events=tuple(_merged([*announced, *_calendar(told, now), *_paid(actions)])),
        currency=currency if isinstance(currency, str) else None,
    )  # fmt: skip


def _first(document: Any, name: str) -> Facts:
    whole = document.get(name) if isinstance(document, dict) else None
    found = whole.get("result") if isinstance(whole, dict) else None
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        msg = f"Yahoo's {name} has no result."
        raise BarsUnavailable(msg)
    return found[0]


def _part(told: Facts, name: str) -> Facts:
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _number(value: object) -> float | None:
    """A number as Yahoo writes it, bare or as {raw, fmt}; none for what is none."""
    if isinstance(value, dict):
        value = value.get("raw")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _ratios(told: Facts, now: datetime) -> Iterator[Fact]:
    for module, names in RATIOS.items():
        for theirs, name in names.items():
            value = _number(_part(told, module).get(theirs))
            if value is not None:
                value = value / 100.0 if name in IN_PERCENT else value
                yield Fact(
                    name=name, value=value, period=Period.NOW, ended_on=now.date(), known_from=now, is_dated=True
                )


def _filings(told: Facts) -> Iterator[tuple[date, bool]]:
    """Days of first reports, and whether each is one of a whole year."""
    filings = _part(told, "secFilings").get("filings")
    for filing in filings if isinstance(filings, list) else []:
        if isinstance(filing, dict) and filing.get("type") in FILINGS:
            day = _day(filing.get("date"))
            if day is not None:
                yield day, filing["type"] in FILINGS_OF_YEARS


def _statements(
    series: Any, filings: Iterable[tuple[date, bool]], announced: Iterable[date], now: datetime
) -> Iterator[Fact]:
    filings, announced = list(filings), list(announced)
    match series:
        case {"timeseries": {"result": [*items]}}:
            pass
        case _:
            msg = "Yahoo's time series of statements have no result."
            raise BarsUnavailable(msg)
    for prefix, period in PERIODS.items():
        reports = [day for day, is_of_year in filings if is_of_year or period is Period.QUARTER]
        for theirs, name in STATEMENTS.items():
            key = f"{prefix}{theirs}"
            for item in items:
                for point in item.get(key) or () if isinstance(item, dict) else ():
                    ended_on = _day(point.get("asOfDate")) if isinstance(point, dict) else None
                    value = _number(point.get("reportedValue")) if isinstance(point, dict) else None
                    if ended_on is None or value is None or ended_on > now.date():
                        continue
                    day = published(ended_on, reports) or published(ended_on, announced)
                    known = now if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC) + DAY_OVER
                    yield Fact(
                        name=name, value=value, period=period, ended_on=ended_on,
                        known_from=min(known, now), is_dated=day is not None,
                    )  # fmt: skip


def _announced(earnings: Any, now: datetime) -> Iterator[CompanyEvent]:
    """Earnings of yfinance's table (pandas), past and to come; one to come is known from now."""
    if earnings is None:
        return
    for at, value in zip(earnings.index, earnings["Reported EPS"], strict=True):
        moment = at.to_pydatetime().astimezone(UTC)
        yield CompanyEvent(kind=EventKind.EARNINGS, at=moment, known_from=min(moment, now), value=_number(value))


def _calendar(told: Facts, now: datetime) -> Iterator[CompanyEvent]:
    """The next dates; of a range of days the first."""
    calendar = _part(told, "calendarEvents")
    dates = _part(calendar, "earnings").get("earningsDate")
    known = {
        EventKind.EARNINGS: dates[0] if isinstance(dates, list) and dates else None,
        EventKind.EX_DIVIDEND: calendar.get("exDividendDate"),
        EventKind.DIVIDEND_PAID: calendar.get("dividendDate"),
    }
    for kind, stamp in known.items():
        seconds = _number(stamp)
        if seconds is not None and abs(seconds) < 1e10:
            at = datetime.fromtimestamp(seconds, UTC)
            yield CompanyEvent(kind=kind, at=at, known_from=min(at, now))


def _paid(actions: tuple[Any, Any]) -> Iterator[CompanyEvent]:
    """Dividends and splits that happened, at the opening of their day."""
    dividends, splits = actions
    if hasattr(dividends, "columns"):  # with a column of currencies beside
        dividends = dividends["Dividends"]
    for kind, table in ((EventKind.EX_DIVIDEND, dividends), (EventKind.SPLIT, splits)):
        for at, value in table.items():
            moment = at.to_pydatetime().astimezone(UTC)
            yield CompanyEvent(kind=kind, at=moment, known_from=moment, value=_number(value))


def _merged(events: Iterable[CompanyEvent]) -> list[CompanyEvent]:
    """One event a kind and day: the one that tells a value, else the first told."""
    found: dict[tuple[EventKind, date], CompanyEvent] = {}
    for event in events:
        key = event.kind, event.at.date()
        if key not in found or (found[key].value is None and event.value is not None):
            found[key] = event
    return sorted(found.values(), key=lambda event: (event.at, event.kind))


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _epoch(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
