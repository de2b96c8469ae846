"""PostgreSQL, the only truth: an embedded server or an external one, behind one engine.

This package imports nothing by itself, so that a command that only stops a server pays for no SQLAlchemy, and the
running app pays for no alembic.
"""
