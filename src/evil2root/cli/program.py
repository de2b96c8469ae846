"""The program: its commands put together, and how every failure ends in one line and an exit code."""

import difflib
import gc
import os
import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import Abort, Exit, TyperException

from evil2root import __version__
from evil2root.cli import backtesting, bars, books, desk, people, running
from evil2root.cli.console import FAILED, USAGE, Failure, say

app = typer.Typer(
    name="evil2root",
    help="A self-hosted trading bot that can explain every step it took.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (running, desk, books, backtesting, bars, people):
    group.add_to(app)


@app.callback()
def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,  # noqa: FBT002
) -> None:
    """Take what goes before the command."""
    context.obj = {"debug": debug}


@app.command(epilog="Example: evil2root version")
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage."""
    if "--debug" in sys.argv[1:] and sys.argv.index("--debug") > 1:
        # It may stand anywhere: whoever sees a failure adds it at the end.
        sys.argv.remove("--debug")
        sys.argv.insert(1, "--debug")
    debug = "--debug" in sys.argv
    # The collector would walk a thousand modules again and again while they load, a sixth of a start; `run` ends this.
    gc.disable()
    _import_logging_plainly()
    try:
        sys.exit(app(prog_name="evil2root", standalone_mode=False) or 0)
    except Exit as done:
        sys.exit(done.exit_code)
    except (Abort, KeyboardInterrupt):
        _end("Interrupted. What was committed stays; nothing was left half-written.", FAILED)
    except TyperException as problem:
        _end(_usage(problem), USAGE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Failure as problem:
        if debug and problem.__cause__ is not None:
            raise
        _end(str(problem), problem.code)
    except Exception as problem:
        if debug:
            raise
        _end(f"{type(problem).__name__}: {problem}. Add --debug to see where.", FAILED)


def _import_logging_plainly() -> None:
    """Import structlog as if rich were not there: to draw tracebacks with it costs every start a tenth of a second.

    Plain tracebacks show no values of variables either, which may be secret.
    """
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # how to tell an import that there is no such module
    try:
        import structlog  # noqa: F401, PLC0415
    finally:
        del sys.modules["rich"]


def _usage(problem: TyperException) -> str:
    """Say what was wrong with the words of a command, and where its words are listed."""
    text = str(getattr(problem, "format_message", lambda: problem)())
    context = getattr(problem, "ctx", None)
    if context is None:
        return text
    known = list(getattr(context.command, "commands", {}))
    close = difflib.get_close_matches(text.partition("'")[2].partition("'")[0], known, n=1)
    hint = f" Did you mean '{close[0]}'?" if close and "Did you mean" not in text else ""
    return f"{text.rstrip('.')}.{hint} See `{context.command_path} --help`."


def _end(text: str, code: int) -> NoReturn:
    say(text)
    sys.exit(code)
