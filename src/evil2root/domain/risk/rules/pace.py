"""Limits of how fast orders may come, how old their reasons may be, and when losses stop them."""

from decimal import Decimal

from evil2root.domain.risk.check import Asked, Check, Unit, at_most, below, flag

SLOWER = "wait, or raise "


def duplicate(asked: Asked) -> Check | None:
    """Be no repetition of an entry of the same symbol, side and quantity."""
    window = asked.limits.duplicate_s
    if not window:
        return None
    again = asked.order.quantity in asked.exposure.pace.same
    return flag(f"no repetition within {window} s", "the same entry was sent a moment ago", holds=not again)


def orders_a_second(asked: Asked) -> Check | None:
    """Send so many entries within a second."""
    return _rate(asked.exposure.pace.second, asked.limits.orders_per_second_max, "second")


def orders_a_minute(asked: Asked) -> Check | None:
    """Send so many entries within a minute."""
    return _rate(asked.exposure.pace.minute, asked.limits.orders_per_minute_max, "minute")


def orders_a_day(asked: Asked) -> Check | None:
    """Send so many entries on one day, UTC."""
    return _rate(asked.exposure.pace.day, asked.limits.orders_per_day_max, "day")


def _rate(before: int, most: int | None, span: str) -> Check | None:
    if most is None:
        return None
    advice = f"{SLOWER}orders_per_{span}_max"
    return at_most(f"entries this {span}", Decimal(before + 1), Decimal(most), advice, Unit.COUNT)


def bar_age(asked: Asked) -> Check | None:
    """Rest on a bar that is not too old."""
    most = asked.limits.stale_bars_max
    if most is None:
        return None
    return at_most("age of the bar, in bars", asked.exposure.pace.age, most, "wait for fresh bars", Unit.NUMBER)


def daily_loss(asked: Asked) -> Check | None:
    """Have lost less than so much since the previous day's close."""
    limit = asked.limits.daily_loss_frac
    if limit is None:
        return None
    return below("daily loss", asked.exposure.day_loss_frac, limit, "wait for the next day", Unit.SHARE)


def drawdown(asked: Asked) -> Check | None:
    """Have fallen less than so much from the peak."""
    limit = asked.limits.drawdown_frac
    if limit is None:
        return None
    advice = "look what went wrong; a person resumes"
    return below("drawdown", asked.exposure.pace.drawdown_frac, limit, advice, Unit.SHARE)


def losing_streak(asked: Asked) -> Check | None:
    """Have lost less than so many times in a row."""
    limit = asked.limits.losing_streak_max
    if limit is None:
        return None
    value = Decimal(asked.exposure.pace.losses)
    return below("losses in a row", value, Decimal(limit), "wait for the next day", Unit.COUNT)


def rejections(asked: Asked) -> Check | None:
    """Have been rejected by the broker less than so many times in a row."""
    limit = asked.limits.rejections_max
    if limit is None:
        return None
    value = Decimal(asked.exposure.pace.rejections)
    return below("rejections in a row", value, Decimal(limit), "look at the broker's words; wait for the next day",
                 Unit.COUNT)  # fmt: skip


def breaker(asked: Asked) -> Check:
    """Be sent while entries are let in at all."""
    holds = asked.breaker.lets_in
    return Check(
        name="breaker", value=Decimal(0 if holds else 1), limit=Decimal(0), holds=holds,
        advice="" if holds else f"{asked.breaker.state}: {asked.breaker.reason}", unit=Unit.FLAG,
    )  # fmt: skip
