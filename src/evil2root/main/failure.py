"""How a command fails: one sentence and an exit code. Light, so that every command can afford it."""

FAILED, USAGE = 1, 2


class Failure(Exception):  # noqa: N818 - it is the answer to whoever typed the command
    """A command could not do what it was asked. The text says what happened and what to do."""

    def __init__(self, text: str, *, code: int = FAILED) -> None:
        super().__init__(text)
        self.code = code
