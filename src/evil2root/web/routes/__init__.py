"""Addresses of the dashboard, one file a room."""

from evil2root.web.routes import (
    decisions,
    events,
    halting,
    login,
    overview,
    positions,
    reconcile,
    search,
    signals,
    symbols,
    system,
    trades,
)

ROUTERS = (
    overview.router,
    symbols.router,
    decisions.router,
    positions.router,
    reconcile.router,
    trades.router,
    signals.router,
    system.router,
    search.router,
    halting.router,
    login.router,
    events.router,
)
"""All of them, in the order they are tried."""
