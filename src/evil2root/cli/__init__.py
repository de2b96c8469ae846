"""The command line. One file a group of commands; everything heavy is imported inside the command that needs it."""

from evil2root.cli.program import main

__all__ = ["main"]
