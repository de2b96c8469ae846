"""What a rehearsal of the halt showed."""

from dataclasses import dataclass
from datetime import datetime

DRILL = "drill"
"""Who halts and resumes in a drill, as the audit log has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult:
    """What one drill showed."""

    began_at: datetime
    """By the machine's clock."""
    positions: int
    orders: int
    """Held, and open, when it began."""
    flat_after_s: float | None
    """Seconds of the machine until nothing was held and no order was open; none when that was given up."""
    says: str
