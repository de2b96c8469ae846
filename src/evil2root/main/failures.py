"""What is known to go wrong in a command, as one line and an exit code. The unexpected passes through."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from evil2root.adapters.postgres.errors import DatabaseUnavailable
from evil2root.adapters.postgres.failures import first_line
from evil2root.adapters.postgres.journal import BooksDisagree
from evil2root.domain.kernel.journal import JournalUnavailable
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.frame import BadBars
from evil2root.domain.market.importing import BadTable
from evil2root.engine.access import AccessError
from evil2root.main.failure import USAGE, Failure
from evil2root.settings import SettingsProblem

ANTICIPATED = (DatabaseUnavailable, BooksDisagree, JournalUnavailable, BarsUnavailable, BadBars, BadTable, AccessError)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what is anticipated into a `Failure`."""
    try:
        yield
    except SettingsProblem as problem:
        raise Failure(str(problem), code=USAGE) from problem
    except ANTICIPATED as problem:
        raise Failure(str(problem)) from problem
    except SQLAlchemyError as problem:
        text = f"The database refused: {first_line(problem)}. Run `evil2root doctor` to see how it is."
        raise Failure(text) from problem
