"""The cache of pages and API: Redis where an address is set, else this process."""

from evil2root.adapters.cache.in_process import InProcessStore
from evil2root.adapters.cache.redis import RedisStore
from evil2root.adapters.cache.sealed import SealedWindows
from evil2root.settings import Settings


def windows_of(settings: Settings, *, secret: bytes) -> SealedWindows:
    """Return the cache the settings name; apps share one in Redis when they share the secret."""
    if settings.redis_url is None:
        return SealedWindows(InProcessStore(), secret=secret)
    return SealedWindows(RedisStore(settings.redis_url.get_secret_value()), secret=secret)


async def looked_at(settings: Settings) -> tuple[bool, str]:
    """Return whether the cache can be used, and what to say of it."""
    if settings.redis_url is None:
        return True, InProcessStore().state().says
    store = RedisStore(settings.redis_url.get_secret_value())
    says = store.state().says
    try:
        return True, f"{await store.version()} at {says}"
    except Exception as problem:  # noqa: BLE001 - whatever is wrong with it: it is no part of trading
        return (
            False,
            f"{says} does not answer ({type(problem).__name__}): pages read the database, nothing else changes",
        )
    finally:
        await store.close()
