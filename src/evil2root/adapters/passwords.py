"""Passwords by Argon2id, in threads: hashing is made to be slow, and the event loop must not be."""

import asyncio

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

TIME_COST = 2
MEMORY_KIB = 46 * 1024
"""46 MiB, more than OWASP's first choice (19 MiB with two passes): about 60 ms on one core of 2024."""
AT_ONCE_MAX = 2
"""Hashes computed at the same time: each takes its memory."""


class Argon2Hasher:
    """Fits `engine.identity.Hasher`."""

    def __init__(self, *, time_cost: int = TIME_COST, memory_kib: int = MEMORY_KIB) -> None:
        self._argon2 = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1, type=Type.ID)
        self._room = asyncio.Semaphore(AT_ONCE_MAX)

    async def hash(self, password: str) -> str:
        """Hash a password; the result carries its salt and parameters."""
        async with self._room:
            return await asyncio.to_thread(self._argon2.hash, _bytes(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Compare in the same time whether or not there is a stored hash.

        Raises `ValueError` when what is stored is no hash: a damaged row must not read as a wrong password.
        """
        async with self._room:
            if stored is None:
                await asyncio.to_thread(self._argon2.hash, _bytes(password))
                return False
            return await asyncio.to_thread(self._matches, stored, password)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._argon2.verify(stored, _bytes(password))
        except InvalidHashError as error:
            msg = "A stored password hash is damaged: set the user's password anew by `evil2root user passwd`."
            raise ValueError(msg) from error
        except VerificationError:
            return False


def _bytes(password: str) -> bytes:
    """Encode, also what no keyboard gives: half a character must not break a sign-in."""
    return password.encode("utf-8", "surrogatepass")
