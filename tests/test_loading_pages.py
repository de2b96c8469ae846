"""Pages that can't be loaded end the program with a sentence, whatever stopped them: nobody could halt it."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette

from evil2root.main import serving
from evil2root.main.front import Front
from tests.fakes.desk import a_desk


def broken() -> Starlette:
    msg = "broken here"
    raise ImportError(msg)


def leaving() -> Starlette:
    raise SystemExit(3)


def hanging() -> Starlette:
    time.sleep(0.5)
    return Starlette()


async def loaded(make: Any) -> serving._Ending:
    server: Any = SimpleNamespace(should_exit=False, force_exit=False)
    ending, compared = serving._Ending(server), asyncio.Event()
    compared.set()
    engine: Any = SimpleNamespace(compared=compared)
    await serving._load(Front(a_desk(bars=5)), ending, engine, make)
    return ending


@pytest.mark.parametrize(
    ("make", "because"), [(broken, "ImportError: broken here"), (leaving, "SystemExit: 3"), (hanging, "in 0.05 s")]
)
async def test_says_what_stopped_them_and_ends(make: Any, because: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PAGES_MOST_S", 0.05)

    ending = await loaded(make)

    assert ending.is_begun
    assert because in ending.because


async def test_a_stream_that_waited_is_told_when_the_end_began_meanwhile() -> None:
    app = Starlette()
    server: Any = SimpleNamespace(should_exit=False, force_exit=False)
    ending, compared = serving._Ending(server), asyncio.Event()
    compared.set()
    engine: Any = SimpleNamespace(compared=compared)

    def made_while_it_ends() -> Starlette:
        ending.begin()
        return app

    await serving._load(Front(a_desk(bars=5)), ending, engine, made_while_it_ends)

    assert app.state.stopping
