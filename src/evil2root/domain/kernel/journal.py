"""Where the kernel's work is written down."""

from collections.abc import Sequence
from typing import Protocol

from evil2root.domain.kernel.actions import Keep
from evil2root.domain.kernel.state import Carry, State


class JournalUnavailable(Exception):  # noqa: N818 - named for what is wrong
    """The journal can't be written or read now. Nothing of the step was kept: trading stops until it can."""


class StepRefused(Exception):  # noqa: N818 - named for what is wrong
    """The journal will never take this step: it breaks an invariant, or somebody else writes the account.

    Waiting does not help. The engine stops, and a person looks.
    """


class Journal(Protocol):
    """Keeps steps, whole or not at all.

    `commit` writes everything of one or more steps in one transaction, in the order given, and returns when it is
    durable. Writing the same fill twice changes nothing the second time. `load` gives back the state after the last
    commit, or none for an account that never began: cash and quantities come from the sums of the ledger.
    """

    async def commit(self, keeps: Sequence[Keep], carry: Carry) -> None: ...
    async def load(self) -> State | None: ...
    async def recorded_execution_ids(self) -> Sequence[str]:
        """Return the execution ids of all fills that were kept."""
        ...
