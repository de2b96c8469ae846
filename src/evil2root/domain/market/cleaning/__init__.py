"""From what a source told to rows that can be believed: pure rules that say what they did and why."""

from evil2root.domain.market.cleaning.clean import clean
from evil2root.domain.market.cleaning.values import QUARANTINE_SCHEMA, Cleaned, Known

__all__ = ["QUARANTINE_SCHEMA", "Cleaned", "Known", "clean"]
