"""A line of the doctor's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one part is."""

    part: str
    state: str
    """`ok`, `!` (works, with a reserve) or `x` (trading could not run)."""
    says: str
    remedy: str = ""
