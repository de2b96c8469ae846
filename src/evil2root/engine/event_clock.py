"""The clock of a replay: the time of what was told last."""

from datetime import UTC, datetime


class EventClock:
    """Stands still between events, so that a replay never depends on the machine's time."""

    def __init__(self, at: datetime = datetime(1970, 1, 1, tzinfo=UTC)) -> None:
        self._at = at

    def now(self) -> datetime:
        """Return the time of the latest event."""
        return self._at

    def advance(self, at: datetime) -> None:
        """Move on; a clock never goes back."""
        self._at = max(self._at, at)
