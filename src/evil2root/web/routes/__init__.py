"""Addresses of the dashboard, one file a room."""

from evil2root.web.routes import overview

ROUTERS = (overview.router,)
"""All of them, in the order they are tried."""
