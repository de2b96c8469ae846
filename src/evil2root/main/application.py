"""The API and the pages over a wired account. Slow to import: trading does not wait for it."""

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root import __version__
from evil2root.adapters.indicators.pandas_ta import REGISTRY
from evil2root.adapters.postgres.idempotency import PostgresOnce
from evil2root.adapters.system_clock import SystemClock
from evil2root.api.app import create_app
from evil2root.engine.access import Access
from evil2root.engine.desk import Desk
from evil2root.engine.idempotency import Once
from evil2root.settings import Settings
from evil2root.web.app import install


def application(settings: Settings, database: AsyncEngine, access: Access, desk: Desk, *, host: str) -> FastAPI:
    """Put API and pages together."""
    app = create_app(
        version=__version__,
        hosts=(host, *settings.http.hosts),
        secure_cookies=settings.http.secure_cookies,
        indicators=REGISTRY,
    )
    app.state.desk = desk
    app.state.access = access
    app.state.once = Once(PostgresOnce(database), clock=SystemClock())
    install(app)
    return app
