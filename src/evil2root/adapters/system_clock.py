"""The machine's clock: the only place that reads it."""

from datetime import UTC, datetime


class SystemClock:
    """Tells the present in UTC."""

    def now(self) -> datetime:
        """Return the machine's time."""
        return datetime.now(UTC)
