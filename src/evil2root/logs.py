"""Logs: one line an event, with a dotted name and fields, for a person or for a machine. Names: docs/events.md."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

FIELD_CHARS_MAX = 4_000
"""Longest text in one field; a broken payload must not fill the disk."""

SECRET_NAMES = re.compile(r"(?i)(password|passwd|secret|token|api_?key|authorization|cookie|dsn)")
"""Fields by these names are never shown, whatever is in them."""

SECRETS_IN_TEXT = (
    # Without the scheme before it: trying where one might begin would cost the square of a long text's length.
    (re.compile(r"(://[^\s:/@]*):[^\s@/]+@"), r"\1:********@"),
    (re.compile(r"e2r_[A-Za-z0-9_-]{6,}"), "e2r_********"),
    (re.compile(r"(?i)\b(bearer|basic) [A-Za-z0-9._~+/=-]{6,}"), r"\1 ********"),
    (re.compile(r"/bot\d+:[A-Za-z0-9_-]{20,}"), "/bot********"),
)
"""Passwords in addresses, our own keys, authorization headers and Telegram's tokens, wherever they turn up."""

LIBRARIES = {
    "alembic": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "asyncio": logging.WARNING,
}
"""Quieter than we are: httpx writes whole addresses at INFO, tokens included; each request is our own event already."""


def set_up_logs(*, style: str, level: str, stream: TextIO | None = None) -> None:
    """Send every line, ours and the libraries', to `stream` (standard error) as `console` or `json`; `auto` chooses.

    May be called again: the last call counts.
    """
    out = sys.stderr if stream is None else stream
    if style not in {"auto", "console", "json"}:
        msg = f"The style of logs is {style!r}; it must be auto, console or json."
        raise ValueError(msg)
    for_people = style == "console" or (style == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, _from_library],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_renderers(for_people=for_people, colors=out.isatty()),
        ],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "sqlalchemy", "alembic", *LIBRARIES):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    for name, least in LIBRARIES.items():
        logging.getLogger(name).setLevel(least)
    logging.captureWarnings(capture=True)


def without_secrets(_logger: Any, _method: str, event: EventDict) -> MutableMapping[str, Any]:
    """Mask what must not be read by whoever reads logs, and cut what is too long."""
    return {name: "********" if SECRET_NAMES.search(name) and event[name] else _clean(event[name]) for name in event}


def _clean(value: Any) -> Any:
    match value:
        case str():
            for pattern, shown in SECRETS_IN_TEXT:
                value = pattern.sub(shown, value)
            return value if len(value) <= FIELD_CHARS_MAX else f"{value[:FIELD_CHARS_MAX]}… ({len(value)} characters)"
        case dict():
            return {name: "********" if SECRET_NAMES.search(str(name)) else _clean(v) for name, v in value.items()}
        case list() | tuple():
            return [_clean(part) for part in value]
        case None | bool() | int() | float():
            return value
        case _:
            return _clean(str(value))


def _from_library(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Give a library's prose a name of ours: the text becomes a field."""
    return {**event, "event": "library.said", "text": event["event"]}


def _renderers(*, for_people: bool, colors: bool) -> list[Processor]:
    if for_people:
        # The traceback is turned into text first, so that the masks see it too.
        return [structlog.processors.format_exc_info, without_secrets, structlog.dev.ConsoleRenderer(colors=colors)]
    return [
        structlog.processors.format_exc_info,
        without_secrets,
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _json(event: EventDict, **_options: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
