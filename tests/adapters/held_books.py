"""Books of nine days as the kernel makes them, with every table filled."""

from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.audit import PostgresAudit
from evil2root.adapters.postgres.journal import PostgresJournal
from tests.adapters.kernel_runs import BEGIN, a_run


async def keep_nine_days(engine: AsyncEngine) -> None:
    """Write them: sound, with two positions held and three lines in the audit log."""
    run, journal = a_run(days=9), PostgresJournal(engine, account="paper")
    await journal.commit([one for keeps, _ in run.steps for one in keeps], run.state.carry)
    for action in ("halt", "resume", "close"):
        await PostgresAudit(engine).write(
            at=BEGIN, actor="ann", origin="test", action=action, subject="trading", before=None, after="x"
        )
    assert set(run.state.portfolio.positions) == {"AAPL", "MSFT"}
