"""One address, in the two spellings that libraries want."""

import re

_SCHEME = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://")


def sqlalchemy_dsn(dsn: str) -> str:
    """Spell the address for SQLAlchemy: `postgresql+asyncpg://…`."""
    return _spell(dsn, "postgresql+asyncpg://")


def plain_dsn(dsn: str) -> str:
    """Spell the address for libpq, asyncpg and the PostgreSQL programs: `postgresql://…`."""
    return _spell(dsn, "postgresql://")


def _spell(dsn: str, scheme: str) -> str:
    if not _SCHEME.match(dsn):
        shown = dsn.split("://", 1)[0] if "://" in dsn else "no scheme"
        msg = f"A database address starts with postgresql+asyncpg://, this one has {shown!r}."
        raise ValueError(msg)
    return _SCHEME.sub(scheme, dsn, count=1)
