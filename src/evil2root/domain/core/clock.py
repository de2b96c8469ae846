"""The one question about the present."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the present, in UTC. Only the engine asks; the domain is told."""

    def now(self) -> datetime: ...
