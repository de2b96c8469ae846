"""Who leads: the one row whose epoch every trading write is held against."""

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.tables import leadership


async def take_over(engine: AsyncEngine, *, holder: str, at: datetime) -> int:
    """Become the leader, and give the epoch: one more than the last. Writes of earlier epochs are refused from now on.

    It asks nobody whether there is a leader: the lock on the embedded data directory keeps a second app away.
    """
    made = insert(leadership).values(epoch=1, holder=holder, since=at)
    taking = made.on_conflict_do_update(
        index_elements=["one"], set_={"epoch": leadership.c.epoch + 1, "holder": holder, "since": at}
    )
    async with engine.begin() as connection:
        return int((await connection.execute(taking.returning(leadership.c.epoch))).scalar_one())
