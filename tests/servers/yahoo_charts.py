"""What Yahoo knows of symbols, and charts of it in the shape of its v8 chart API."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

LENGTHS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "1d": 86_400}
Bar = tuple[datetime, float | None, float | None, float | None, float | None, float | None]
"""Opening, open, high, low, close, volume; prices adjusted for every split, as Yahoo tells them."""


@dataclass(kw_only=True)
class Listed:
    """One symbol. Bars by Yahoo's names of intervals, oldest first."""

    bars: dict[str, list[Bar]] = field(default_factory=dict)
    adjusted: list[float] = field(default_factory=list)
    """Adjusted closes of the daily bars; the closes when empty."""
    zone: str = "America/New_York"
    currency: str = "USD"
    kind: str = "EQUITY"
    dividends: list[tuple[datetime, float]] = field(default_factory=list)
    splits: list[tuple[datetime, int, int]] = field(default_factory=list)
    traded_at: datetime | None = None
    hours: tuple[int, int] = (570, 960)
    """Minutes of the day, local, at which the market opens and closes."""
    says: str | None = None
    """The symbol its charts speak of, where it is another."""
    modules: dict[str, Any] = field(default_factory=dict)
    """Of the quote summary."""
    series: dict[str, list[tuple[str, float | None]]] = field(default_factory=dict)
    """Of the fundamentals: dates and values by type, as `quarterlyTotalRevenue`."""
    quote: dict[str, Any] = field(default_factory=dict)
    earnings_page: str = ""


def chart(symbol: str, listed: Listed, asked: dict[str, str]) -> dict[str, Any]:
    """Answer one question of the chart API."""
    interval = asked.get("interval", "1d")
    bars = listed.bars.get(interval, [])
    adjusted = listed.adjusted if interval == "1d" and listed.adjusted else [bar[4] for bar in bars]
    if "period1" in asked:
        first, last = int(asked["period1"]), int(asked["period2"])
    else:
        last = int(bars[-1][0].timestamp()) + 1 if bars else 0
        first = last - (86_400 if asked["range"] == "1d" else 10**10)
    chosen = [(bar, close) for bar, close in zip(bars, adjusted, strict=True) if first <= bar[0].timestamp() < last]
    result: dict[str, Any] = {"meta": _meta(symbol, listed, interval, [bar for bar, _ in chosen])}
    if not chosen:
        return {"chart": {"result": [result | {"indicators": {"quote": [{}], "adjclose": [{}]}}], "error": None}}
    result["timestamp"] = [int(bar[0].timestamp()) for bar, _ in chosen]
    events: dict[str, Any] = {
        "dividends": {
            str(int(at.timestamp())): {"amount": amount, "date": int(at.timestamp())}
            for at, amount in listed.dividends if first <= at.timestamp() < last
        },
        "splits": {
            str(int(at.timestamp())): {
                "date": int(at.timestamp()), "numerator": new, "denominator": old, "splitRatio": f"{new}:{old}"
            }
            for at, new, old in listed.splits if first <= at.timestamp() < last
        },
    }  # fmt: skip
    events = {name: found for name, found in events.items() if found}
    if events:
        result["events"] = events
    names = ("open", "high", "low", "close", "volume")
    result["indicators"] = {"quote": [{name: [bar[i + 1] for bar, _ in chosen] for i, name in enumerate(names)}]}
    if interval == "1d":
        result["indicators"]["adjclose"] = [{"adjclose": [close for _, close in chosen]}]
    return {"chart": {"result": [result], "error": None}}


def refusal(code: str, description: str, *, of: str = "chart") -> dict[str, Any]:
    """The body of an error."""
    return {of: {"result": None, "error": {"code": code, "description": description}}}


def _meta(symbol: str, listed: Listed, interval: str, bars: Sequence[Bar]) -> dict[str, Any]:
    zone = ZoneInfo(listed.zone)
    newest = listed.bars.get(interval) or [(datetime(2026, 1, 5, tzinfo=UTC), 1.0, 1.0, 1.0, 1.0, 0.0)]
    traded = listed.traded_at or newest[-1][0] + timedelta(seconds=LENGTHS[interval])
    days = sorted({bar[0].astimezone(zone).date() for bar in bars}) or [newest[-1][0].astimezone(zone).date()]
    periods = [_period(zone, day.isoformat(), listed.hours) for day in days]
    meta: dict[str, Any] = {
        "currency": listed.currency, "symbol": listed.says or symbol, "exchangeName": "NMS", "fullExchangeName": "NasdaqGS",
        "instrumentType": listed.kind, "firstTradeDate": 345_479_400, "regularMarketTime": int(traded.timestamp()),
        "hasPrePostMarketData": True, "gmtoffset": int(traded.astimezone(zone).utcoffset().total_seconds()),  # type: ignore[union-attr]
        "timezone": traded.astimezone(zone).tzname(), "exchangeTimezoneName": listed.zone,
        "regularMarketPrice": newest[-1][4], "priceHint": 2, "dataGranularity": interval, "range": "",
        "currentTradingPeriod": {name: dict(periods[-1]) for name in ("pre", "regular", "post")},
        "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
    }  # fmt: skip
    if interval != "1d":
        meta["tradingPeriods"] = [[period] for period in periods]
    return meta


def _period(zone: ZoneInfo, day: str, hours: tuple[int, int]) -> dict[str, Any]:
    midnight = datetime.fromisoformat(day).replace(tzinfo=zone)
    start, end = ((midnight + timedelta(minutes=minutes)) for minutes in hours)
    offset = midnight.utcoffset()
    assert offset is not None
    return {
        "timezone": midnight.tzname(), "start": int(start.timestamp()), "end": int(end.timestamp()),
        "gmtoffset": int(offset.total_seconds()),
    }  # fmt: skip
