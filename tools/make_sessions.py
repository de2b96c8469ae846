"""Write the packaged table of sessions anew: `python -m tools.make_sessions`. Run it when exchange-calendars is raised."""

from evil2root.adapters.calendars.exchange import PACKAGED, asked


def main() -> None:
    """Ask the library for New York's sessions and keep them in the package."""
    frame = asked("XNYS")
    frame.write_parquet(PACKAGED / "XNYS.parquet", compression="zstd")
    print(f"{frame.height} sessions of XNYS in {PACKAGED}")


if __name__ == "__main__":
    main()
