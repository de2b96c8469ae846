"""The tear sheet of a backtest: one HTML file that needs nothing else, no script, no font, no network.

What it says is computed from the points, trades and performance it is handed; what is not known it says is not known.
"""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evil2root.domain.book.performance import Performance
from evil2root.domain.book.portfolio import EquityPoint
from evil2root.domain.book.positions import Trade
from evil2root.domain.core.money import ZERO
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.execution.costs import Costs
from evil2root.domain.numerics.curves import drawdowns, falls, monthly_returns, rolling_sharpe
from evil2root.engine import figures, plots
from evil2root.engine.figures import day, lasted, num, pct

TRADES_SHOWN_MAX = 200
"""Lines of the trade list; the export has all of them."""
DRAWDOWNS_SHOWN_MAX = 5
MONTH_FULL_PERCENT = 8.0
"""A month of this size has the strongest tint."""
ROLLING_POINTS = 360


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Everything a tear sheet is made of."""

    title: str
    strategy: str
    symbols: tuple[str, ...]
    interval: Interval
    start: datetime
    end: datetime
    options: Mapping[str, str]
    """The settings of the run by name, as a person reads them."""
    points: tuple[EquityPoint, ...]
    """Oldest first."""
    trades: tuple[Trade, ...]
    """By time of exit, oldest first."""
    performance: Performance
    costs: Costs
    currency: str = "USD"
    history: str = ""
    """A sentence on where the bars come from; empty when there is nothing to add."""
    made_by: str = field(default="EVIL2ROOT")
    """Program and version, for the foot."""

    def __post_init__(self) -> None:
        if self.end < self.start or not self.symbols:
            msg = f"A sheet from {self.start} to {self.end} on {len(self.symbols)} symbols shows nothing."
            raise ValueError(msg)


def tear_sheet(sheet: Sheet) -> str:
    """Return the whole page. Its content security policy allows its own style sheet and nothing else."""
    css = _css()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    pages = Environment(
        loader=PackageLoader("evil2root.engine", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return pages.get_template(
        "tearsheet.html"
    ).render(
        sheet=sheet,
        sub=_sub(sheet),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'",
        style=Markup(f"<style>{css}</style>"),  # noqa: S704 - our own file
        verdict=figures.verdict(sheet.performance),
        beside=figures.beside(sheet.performance),
        tally=(
            *figures.of_trades(sheet.performance, sheet.currency),
            *figures.of_costs(sheet.performance, sheet.currency),
        ),
        caveats=figures.caveats(sheet.performance, sheet.costs, history=sheet.history),
        plots=_plots(sheet),
        years=_years(sheet.points),
        distribution=_distribution(sheet.trades),
        drawdowns=_drawdowns(sheet.points),
        by_symbol=_by_symbol(sheet),
        trades=[_line(trade) for trade in reversed(sheet.trades[-TRADES_SHOWN_MAX:])],
    )


def _css() -> str:
    """Return the colours and sizes every page shares, and the layout of this one."""
    package = files("evil2root")
    tokens = package.joinpath("web", "static", "css", "tokens.css").read_text(encoding="utf-8")
    return tokens + package.joinpath("engine", "tearsheet.css").read_text(encoding="utf-8")


def _sub(sheet: Sheet) -> str:
    count = len(sheet.symbols)
    named = ", ".join(sheet.symbols) if count <= 6 else f"{count} symbols"
    costs = figures.cost_words(sheet.costs)
    return f"{sheet.strategy} on {named}, {sheet.interval} bars, {day(sheet.start)} to {day(sheet.end)}, {costs}"


def _plots(sheet: Sheet) -> dict[str, Markup]:
    """Draw the curves; empty where there are fewer than two points, or nothing to measure growth from."""
    points = sheet.points
    if len(points) < 2 or points[0].equity <= 0:
        return {}
    times, own = [p.at for p in points], [float(p.equity) for p in points]
    held = [None if p.benchmark is None else float(p.benchmark) for p in points]
    known = [v for v in held if v is not None]
    growth: dict[str, Sequence[float | None]] = {"own": [100 * (v / own[0] - 1) for v in own]}
    depth: dict[str, Sequence[float | None]] = {"dd": (-100 * falls(own)).tolist()}
    if known and known[0] > 0:
        fallen = iter((-100 * falls(known)).tolist())
        growth["bench"] = [None if v is None else 100 * (v / known[0] - 1) for v in held]
        depth["bench"] = [None if v is None else next(fallen) for v in held]
    percent = _percent_words(growth)
    drawn = {
        "growth": plots.lines(times, growth, label="Cumulative return of the strategy and of buying and holding",
                              words=percent, is_filled=True),
        "drawdown": plots.lines(times, depth, label="Drawdown of the strategy and of buying and holding",
                                words=_percent_words(depth), height=120, is_filled=True, has_zero=True),
    }  # fmt: skip
    rolling = _rolling(sheet, times, own)
    return drawn | ({"rolling": rolling} if rolling else {})


def _rolling(sheet: Sheet, times: Sequence[datetime], own: Sequence[float]) -> Markup | None:
    """Draw the Sharpe ratio of the last half year, where there are two of them at least."""
    yearly = sheet.performance.account.periods_a_year
    window = 0 if yearly is None else round(yearly / 2)
    if sheet.performance.account.ruined_at is not None or window < 1 or len(own) < 2 * window:
        return None
    step = max(1, len(own) // ROLLING_POINTS)
    at = range(0, len(own), step)
    ratios = rolling_sharpe(own, window=window, at=at)
    if yearly is None or all(ratio is None for ratio in ratios):
        return None
    scaled = [None if ratio is None else ratio * yearly**0.5 for ratio in ratios]
    return plots.lines([times[i] for i in at], {"own": scaled}, label="Sharpe ratio, rolling six months",
                       words=lambda v: num(v, 1), height=130, has_zero=True)  # fmt: skip


def _percent_words(series: Mapping[str, Sequence[float | None]]) -> plots.Words:
    known = [v for values in series.values() for v in values if v is not None]
    digits = 0 if max(known) - min(known) >= 8 else 2
    return lambda value: num(value, digits) + "%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """A line of the month table."""

    name: str
    months: tuple[tuple[str, str], ...]
    """Twelve times tint and percent, empty where there was no such month."""
    total: str


def _years(points: Sequence[EquityPoint]) -> list[Year]:
    months = monthly_returns([p.at for p in points], [float(p.equity) for p in points])
    found = []
    for year in sorted({year for year, _ in months}):
        cells, total = [], 1.0
        for month in range(1, 13):
            r = months.get((year, month))
            total *= 1.0 if r is None else 1 + r
            cells.append(("", "") if r is None else (_tint(100 * r), num(100 * r, 1)))
        found.append(Year(name=str(year), months=tuple(cells), total=num(100 * (total - 1), 1, plus=True)))
    return found


def _tint(percent: float) -> str:
    if num(percent, 1) == "0.0":
        return ""
    return ("up" if percent > 0 else "down") + str(min(5, 1 + int(abs(percent) / MONTH_FULL_PERCENT * 5)))


def _distribution(trades: Sequence[Trade]) -> Markup | None:
    """Draw the trades by their R; none when no trade had a stop."""
    multiples = [float(trade.r) for trade in trades if trade.r is not None]
    if not multiples:
        return None
    return plots.histogram(multiples, label="Trades by result in R", words=lambda v: num(v, plus=True).rstrip("0").rstrip(".") + "R",
                           step=0.25, reach=4.0)  # fmt: skip


def _drawdowns(points: Sequence[EquityPoint]) -> list[tuple[str, str, str, str]]:
    """Return depth, peak, trough and recovery of the deepest falls."""
    if not points or points[0].equity <= 0:
        return []
    found = drawdowns([p.at for p in points], [float(p.equity) for p in points])
    deepest = sorted(found, key=lambda fall: fall.depth_frac, reverse=True)[:DRAWDOWNS_SHOWN_MAX]
    return [
        (pct(-d.depth_frac), day(d.peak_at), day(d.trough_at),
         f"{day(d.recovered_at) if d.recovered_at else 'not yet'}, {lasted(d.length)}")
        for d in deepest
    ]  # fmt: skip


def _by_symbol(sheet: Sheet) -> list[tuple[str, int, str, str]]:
    """Return symbol, closed trades, tone and profit, the best first."""
    groups: defaultdict[str, list[Trade]] = defaultdict(list)
    for trade in sheet.trades:
        groups[trade.symbol].append(trade)
    sums = {symbol: sum((t.pnl for t in trades), ZERO) for symbol, trades in groups.items()}
    ordered = sorted(sums, key=lambda symbol: (-sums[symbol], symbol))
    return [(s, len(groups[s]), _tone(num(sums[s], plus=True)), num(sums[s], plus=True)) for s in ordered]


def _tone(text: str) -> str:
    return "down" if text.startswith(figures.MINUS) else "up" if text.startswith("+") else ""


def _line(trade: Trade) -> dict[str, str]:
    pnl = num(trade.pnl, plus=True)
    return {
        "symbol": trade.symbol,
        "side": "Long" if trade.side.sign > 0 else "Short",
        "quantity": f"{trade.quantity.normalize():,f}",
        "entry": f"{trade.entry_time.astimezone(UTC):%Y-%m-%d %H:%M}",
        "entry_price": num(trade.entry_price, 4 if trade.entry_price < 10 else 2),
        "exit": f"{trade.exit_time.astimezone(UTC):%Y-%m-%d %H:%M}",
        "exit_price": num(trade.exit_price, 4 if trade.exit_price < 10 else 2),
        "reason": trade.exit_reason,
        "pnl": pnl,
        "tone": _tone(pnl),
        "r": "none" if trade.r is None else num(trade.r, plus=True),
    }
