"""Settings: one frozen tree, read once at the start and handed out in pieces."""

from evil2root.settings.reading import SettingsProblem, describe, load, read_secret
from evil2root.settings.tree import Settings

__all__ = ["Settings", "SettingsProblem", "describe", "load", "read_secret"]
