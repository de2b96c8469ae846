"""Limits of how bad the data may be that an entry rests on."""

from decimal import Decimal

from evil2root.domain.risk.check import Asked, Check, Unit, at_most, flag


def missing_bars(asked: Asked) -> Check | None:
    """Rest on bars of which few are missing."""
    most, passport = asked.limits.missing_bars_max, asked.exposure.passport
    if most is None or passport is None:
        return None
    advice = "`evil2root data check` names the gaps; fetch the bars, or raise missing_bars_max"
    return at_most(f"missing of the last {passport.expected} bars", Decimal(passport.missing), Decimal(most), advice,
                   Unit.COUNT)  # fmt: skip


def repeated_bars(asked: Asked) -> Check | None:
    """Rest on a bar that does not merely repeat the ones before it."""
    most, passport = asked.limits.repeated_bars_max, asked.exposure.passport
    if most is None or passport is None:
        return None
    advice = "the feed seems to hang; wait for bars that move, or raise repeated_bars_max"
    return at_most("bars alike in a row", Decimal(passport.repeats), Decimal(most), advice, Unit.COUNT)


def on_calendar(asked: Asked) -> Check | None:
    """Rest on a bar that its market's calendar knows."""
    most, passport = asked.limits.missing_bars_max, asked.exposure.passport
    if most is None or passport is None:
        return None
    return flag("bar known to the calendar", f"{passport.calendar} has no session with such a bar",
                holds=not passport.off_calendar)  # fmt: skip
