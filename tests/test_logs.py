"""Logs: named events, one line each, and nothing secret in them."""

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from evil2root.logs import FIELD_CHARS_MAX, set_up_logs

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.configure(**before)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_its_name_and_fields() -> None:
    stream = io.StringIO()
    set_up_logs(style="json", level="info", stream=stream)

    structlog.get_logger().info("order.refused", symbol="AAPL", limit=5)
    structlog.get_logger().debug("order.thought_about")

    (line,) = lines(stream)
    assert (line["event"], line["symbol"], line["limit"], line["level"]) == ("order.refused", "AAPL", 5, "info")
    assert str(line["timestamp"]).endswith("Z")


def test_a_stream_that_is_no_terminal_gets_json_by_itself() -> None:
    stream = io.StringIO()
    set_up_logs(style="auto", level="info", stream=stream)

    structlog.get_logger().info("engine.ready")

    assert lines(stream)[0]["event"] == "engine.ready"


def test_people_get_a_readable_line() -> None:
    stream = io.StringIO()
    set_up_logs(style="console", level="info", stream=stream)

    structlog.get_logger().info("engine.ready", decisions=3)

    assert re.search(r"info .*engine\.ready +decisions=3", stream.getvalue())


def test_the_libraries_speak_through_the_same_door() -> None:
    stream = io.StringIO()
    set_up_logs(style="json", level="info", stream=stream)

    logging.getLogger("uvicorn.error").warning("Started on %s", "127.0.0.1")
    logging.getLogger("httpx").info("HTTP Request: GET /bot1:abc")
    logging.getLogger("uvicorn.access").info("GET /")

    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["text"]) == ("library.said", "uvicorn.error", "Started on 127.0.0.1")


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_secret_gets_out_by_any_field_or_traceback(style: str) -> None:
    stream = io.StringIO()
    set_up_logs(style=style, level="info", stream=stream)
    log = structlog.get_logger()

    log.info("x.happened", password="hunter2-a", url="postgresql://me:hunter2-b@db/x", nested={"api_key": "hunter2-c"})
    log.info("x.happened", header="Bearer hunter2-d-long", said=["call /bot123:hunter2-e-AAAAAAAAAAAAAA/send"])
    try:
        int("no way in with e2r_hunter2_f and postgresql://me:hunter2-g@db")
    except ValueError:
        log.exception("x.failed")
    logging.getLogger("sqlalchemy").warning("lost postgresql://me:hunter2-h@db")

    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count("x.happened") == 2
    assert "no way in with" in stream.getvalue()


def test_an_endless_field_is_cut() -> None:
    stream = io.StringIO()
    set_up_logs(style="json", level="info", stream=stream)

    structlog.get_logger().info("x.happened", payload="a" * 10 * FIELD_CHARS_MAX)

    assert len(stream.getvalue()) < 2 * FIELD_CHARS_MAX


def test_every_event_in_the_source_is_in_the_table() -> None:
    said = set[str]()
    for path in (ROOT / "src").rglob("*.py"):
        said |= set(
            re.findall(r"\blog\.(?:debug|info|warning|error|exception|critical)\(\s*\"([^\"]+)\"", path.read_text())
        )
    listed = set(re.findall(r"^\| `([a-z_.]+)` \|", (ROOT / "docs" / "events.md").read_text(), re.MULTILINE))

    assert said
    assert not said - listed, "write these events into docs/events.md"
    assert not [name for name in said if not re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name)], "names are dotted"
