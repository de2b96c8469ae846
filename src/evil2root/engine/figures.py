"""The figures of a performance in words: the paragraph, the metric table and what may be wrong. No promise in any."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from evil2root.domain.book.performance import Performance
from evil2root.domain.execution.costs import Costs, Slippage
from evil2root.domain.numerics.curves import RETURNS_MIN, Curve

MINUS = "\N{MINUS SIGN}"
NONE = "none"
FEW_TRADES = 30
"""Fewer closed trades than this say little about the next one."""
FEW_YEARS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A line of the metric table."""

    name: str
    how: str
    """The formula."""
    own: str
    held: str
    """Of buying and holding; empty where there is no such figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caveat:
    """A reason to doubt."""

    name: str
    says: str


def num(value: float | Decimal | None, digits: int = 2, *, plus: bool = False) -> str:
    """`1,234.50`, `none` when there is no figure; what rounds to zero has no sign."""
    if value is None:
        return NONE
    text = f"{abs(value):,.{digits}f}"
    is_zero = not text.strip("0.,")
    sign = "" if is_zero else MINUS if value < 0 else "+" if plus else ""
    return sign + text


def pct(frac: float | None, digits: int = 2, *, plus: bool = False) -> str:
    """A fraction in percent: 0.0059 is `0.59%`."""
    return NONE if frac is None else num(frac * 100, digits, plus=plus) + "%"


def cash(value: Decimal | None, currency: str, *, plus: bool = False) -> str:
    """`1,752.00 USD`."""
    return NONE if value is None else f"{num(value, plus=plus)} {currency}"


def day(at: datetime) -> str:
    """`17 Nov 2006`, UTC."""
    return f"{at.day} {at:%b %Y}"


def lasted(length: timedelta | None) -> str:
    """`12 days`, or hours or minutes when it was shorter than two of the larger."""
    if length is None:
        return NONE
    hours = length.total_seconds() / 3600
    if hours < 2:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:,.0f} days"


def verdict(performance: Performance) -> str:
    """One paragraph that says what happened, how sure that is and what it is not."""
    own, held = performance.account, performance.benchmark
    if own.return_frac is None:
        return f"There is nothing to judge: {own.points} points make no curve."
    story = [_growth(own, held)]
    if own.ruined_at is not None:
        return f"{story[0]} The account was ruined on {day(own.ruined_at)}: no ratio says anything after that."
    if performance.trades.count == 0:
        story.append("It closed no trade.")
    story.append(_certainty(own))
    return " ".join([*story, "This is one past path with its costs assumed, and no promise of another."])


def _growth(own: Curve, held: Curve | None) -> str:
    yearly = own.cagr_frac is not None and (held is None or held.cagr_frac is not None)

    def made(curve: Curve) -> str:
        return f"{pct(curve.cagr_frac, plus=True)} a year" if yearly else pct(curve.return_frac, plus=True)

    text = f"After costs it made {made(own)} with a worst fall of {_fall(own)}"
    if held is None or held.return_frac is None:
        return f"{text}; there is no benchmark to hold it against."
    if own.return_frac is not None and held.return_frac > own.return_frac:
        return f"{text}; buying and holding did better with {made(held)} and a worst fall of {_fall(held)}."
    return f"{text}; buying and holding made {made(held)} with {_fall(held)}."


def _fall(curve: Curve) -> str:
    return pct(None if curve.max_drawdown_frac is None else -curve.max_drawdown_frac, 1)


def _certainty(own: Curve) -> str:
    interval = own.sharpe_interval
    if own.sharpe is None or interval is None:
        few = own.points <= RETURNS_MIN
        why = f"{own.points} points are too few for one" if few else "the equity did not vary"
        return f"It has no Sharpe ratio: {why}."
    low, high = interval
    text = f"Sharpe {num(own.sharpe)}, 95% interval {num(low)} to {num(high)}"
    if low > 0:
        return f"{text}: above zero here, if its returns are independent."
    if high < 0:
        return f"{text}: it lost more than chance explains."
    return f"{text}: chance alone could have made this, so it is not enough to trade on."


def beside(performance: Performance) -> tuple[Metric, ...]:
    """The figures of the account beside those of buying and holding."""
    own, held = performance.account, performance.benchmark or Curve(points=0)
    has_held = performance.benchmark is not None

    def both(name: str, how: str, first: str, second: str) -> Metric:
        return Metric(name=name, how=how, own=first, held=second if has_held else "")

    return (
        both("Total return", "last / first - 1", pct(own.return_frac), pct(held.return_frac)),
        both("Growth a year", "(last / first) ** (1 / years) - 1, from 30 days on", pct(own.cagr_frac),
             pct(held.cagr_frac)),
        both("Volatility a year", "std(returns) x sqrt(returns a year)", pct(own.volatility_frac),
             pct(held.volatility_frac)),
        both("Sharpe", "mean / std x sqrt(returns a year), risk-free 0", num(own.sharpe), num(held.sharpe)),
        both("Sharpe, 95% interval", "1.96 standard errors each way, Mertens 2002", _interval(own), _interval(held)),
        both("Sortino", "mean / downside deviation x sqrt(returns a year)", num(own.sortino), num(held.sortino)),
        both("Worst drawdown", "deepest fall from the highest equity so far", _fall(own), _fall(held)),
        both("Its length", "from the peak until it was reached again", _length(own), _length(held)),
        both("Longest under water", "longest time from a peak until it was reached again",
             lasted(own.underwater_longest), lasted(held.underwater_longest)),
        both("Calmar", "growth a year / worst drawdown", num(own.calmar), num(held.calmar)),
        both("Best bar", "largest return from one close to the next", pct(own.best_frac), pct(held.best_frac)),
        both("Worst bar", "smallest return from one close to the next", pct(own.worst_frac), pct(held.worst_frac)),
        both("Beta, alpha a year", "covariance / variance of the benchmark; what it leaves unexplained",
             f"{num(performance.beta)}, {pct(performance.alpha_frac, plus=True)}", "1, 0"),
        both("Time in market, mean size", "share of the closes with a position; mean of gross / equity",
             f"{pct(performance.time_in_market_frac, 0)}, {pct(performance.exposure_mean_frac, 0)}", ""),
    )  # fmt: skip


def _interval(curve: Curve) -> str:
    interval = curve.sharpe_interval
    return NONE if interval is None else f"{num(interval[0])} to {num(interval[1])}"


def _length(curve: Curve) -> str:
    fall = curve.max_drawdown
    if fall is None:
        return NONE
    return lasted(fall.length) + ("" if fall.recovered_at else ", not over")


def of_trades(performance: Performance, currency: str) -> tuple[Metric, ...]:
    """What the closed trades earned."""
    trades = performance.trades
    factor = "no losing trade" if trades.count and not trades.lost else num(trades.profit_factor)
    mean_r = NONE if trades.expectancy_r is None else num(trades.expectancy_r, plus=True) + "R"
    rows = (
        ("Closed trades, won", "those that earned more than zero after fees",
         f"{trades.count}, {pct(trades.win_rate_frac, 0)}"),
        ("Profit factor", "sum of gains / sum of losses", factor),
        ("Mean result", "mean profit of a closed trade, after fees", cash(trades.expectancy, currency, plus=True)),
        ("Mean R", f"mean result / risk to the first stop, over the {trades.with_r} trades that had one", mean_r),
        ("Average win, loss", "means of the winning and of the losing trades",
         f"{num(trades.average_win, plus=True)}, {num(trades.average_loss, plus=True)}"),
        ("Best, worst trade", "after fees", f"{num(trades.best, plus=True)}, {num(trades.worst, plus=True)}"),
        ("Mean holding time", "from the first fill to the last", lasted(trades.holding_mean)),
    )  # fmt: skip
    return tuple(Metric(name=name, how=how, own=own, held="") for name, how, own in rows)


def of_costs(performance: Performance, currency: str) -> tuple[Metric, ...]:
    """What the fills cost."""
    paid = performance.paid
    if paid is None:
        return (Metric(name="Costs", how="the fills were not at hand", own="unknown", held=""),)
    turnover = NONE if paid.turnover_a_year is None else f"{num(paid.turnover_a_year, 1)} times"
    share = "nothing earned" if paid.share_of_gross_frac is None else pct(paid.share_of_gross_frac, 0)
    rows = (
        ("Turnover a year", "bought and sold / mean equity / years", turnover),
        ("Fees", f"of {paid.fills} fills", cash(paid.fees, currency)),
        ("Borrow", "of shorts, by day", cash(paid.borrow, currency)),
        ("Slippage", "against the undisturbed prices", cash(paid.slippage, currency)),
        ("Costs, share of gross", "fees and slippage / (change of equity + both)", share),
    )
    return tuple(Metric(name=name, how=how, own=own, held="") for name, how, own in rows)


def cost_words(costs: Costs) -> str:
    """Say what a run assumed that trading costs."""
    fee = f"{pct(float(costs.fee_frac))} fee"
    if (costs.fee_equity_frac, costs.fee_crypto_frac, costs.fee_fx_frac) != (None, None, None) or costs.fee_per_share:
        fee = "fees by asset class"
    match costs.slippage:
        case Slippage.FIXED:
            moved = f"{num(costs.slippage_bps, 1)} bps slippage"
        case Slippage.HALF_SPREAD:
            moved = f"half of a {num(costs.spread_bps, 1)} bps spread"
        case _:
            moved = "square-root impact"
    borrow = f", shorts at {pct(float(costs.borrow_frac))} a year" if costs.borrow_frac else ""
    return f"{fee} and {moved} a side{borrow}"


def caveats(performance: Performance, costs: Costs, *, history: str) -> tuple[Caveat, ...]:
    """What is known to weaken the result, or was not looked at."""
    cap = costs.volume_share_frac
    volume = "no limit on the share of a bar's volume" if cap is None else f"at most {pct(float(cap), 0)} of a bar"
    assumed = f"{cost_words(costs)}, {volume}"
    found = [
        Caveat(
            name="Settings may be fitted to this period",
            says="Nothing here kept data aside: whoever chose the settings may have seen these prices. How many other "
            "settings were tried is not known, so the Sharpe interval does not allow for it.",
        ),
        Caveat(
            name="One path", says="History happened once. The interval covers chance within it, not another market."
        ),
        Caveat(name="Costs are assumed", says=f"{assumed}. Real fills may be worse, most of all when many sell."),
        Caveat(
            name="Survivors only",
            says="The symbols were chosen knowing that they still trade; those that failed are missing, which flatters "
            f"the strategy and the benchmark alike.{f' {history}' if history else ''}",
        ),
        Caveat(name="Look-ahead not checked in this run", says="Run the lookahead command to recompute each decision."),
    ]
    count, years = performance.trades.count, performance.account.years
    if count < FEW_TRADES:
        found.insert(
            0,
            Caveat(name="Few trades", says=f"{count} closed trades; from about {FEW_TRADES} on a mean says something."),
        )
    if years < FEW_YEARS:
        found.insert(
            0, Caveat(name="A short time", says=f"{num(years, 1)} years hardly hold a rise, a fall and a standstill.")
        )
    return tuple(found)
