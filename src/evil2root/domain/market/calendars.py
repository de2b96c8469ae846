"""The port sessions come through, and what is known of a market nobody can tell the sessions of."""

from typing import Protocol

from evil2root.domain.core.instrument import Instrument
from evil2root.domain.market.bars import NotCovered
from evil2root.domain.market.sessions import Sessions, nowhere


class NoCalendar(NotCovered):
    """Nobody knows when the market of a symbol is open: it can't be traded. The message names it and says why."""


class Calendars(Protocol):
    """Knows when markets are open. The same instrument gives the same table, from a cache after the first time.

    Raises `NoCalendar`, each time it is asked, for a market it can't tell the sessions of.
    """

    def sessions(self, instrument: Instrument) -> Sessions: ...


def sessions_or_nowhere(calendars: Calendars, instrument: Instrument) -> Sessions:
    """For judging bars that are there: where the sessions are unknown no bar is expected, and each is off the calendar."""
    try:
        return calendars.sessions(instrument)
    except NoCalendar:
        return nowhere(instrument.session.name)
