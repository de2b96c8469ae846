"""The port sessions come through."""

from typing import Protocol

from evil2root.domain.core.instrument import Instrument
from evil2root.domain.market.sessions import Sessions


class Calendars(Protocol):
    """Knows when markets are open. The same instrument gives the same table, from a cache after the first time."""

    def sessions(self, instrument: Instrument) -> Sessions: ...
