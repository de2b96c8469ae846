"""The HALT file, written before anything slow is loaded or asked: an app on this directory makes no entries from then on."""

from dataclasses import dataclass
from pathlib import Path

from evil2root.main.failure import USAGE, Failure
from evil2root.settings import Settings, SettingsProblem, load

HALT_FILE = "HALT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What came of writing it."""

    settings: Settings
    path: Path
    is_new: bool
    """It was not there before: who wrote it may take it back once the halt is kept elsewhere."""
    problem: str
    """Why it could not be written; empty when it is there."""

    def take_back(self) -> None:
        """Remove it, unless somebody else had put it there."""
        if self.is_new:
            self.path.unlink(missing_ok=True)


def write_halt_file(reason: str) -> Written:
    """Put the file into the data directory. Raises `Failure` when the settings do not say where that is."""
    try:
        settings = load()
    except SettingsProblem as problem:
        raise Failure(str(problem), code=USAGE) from problem
    path: Path = settings.data_folder / HALT_FILE
    was_there = path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not was_there:
            path.write_text(f"{reason}\n", encoding="utf-8")
    except OSError as problem:
        return Written(settings=settings, path=path, is_new=False, problem=problem.strerror or str(problem))
    return Written(settings=settings, path=path, is_new=not was_there, problem="")
