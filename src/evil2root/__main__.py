"""`python -m evil2root` and the installed command."""

from evil2root.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
