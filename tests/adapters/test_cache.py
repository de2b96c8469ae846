"""Caches forget, are away and lie; whoever asks them gets what was kept, or nothing."""

import asyncio
import io
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from redis.asyncio import Redis

from evil2root.adapters.cache.in_process import InProcessStore
from evil2root.adapters.cache.redis import FAILURES_MAX, REST_S, RedisStore, place_of
from evil2root.adapters.cache.sealed import VALUE_MAX, SealedWindows
from evil2root.engine.hot import HotStore
from tests.adapters.bar_histories import a_history
from tests.servers.valkey import Valkey, behind_tls, certificate, valkey

FRAME = a_history(30).adjusted
SECRET = b"a secret of these tests"


class Time:
    """Goes on when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with valkey() as running:
        yield running


@pytest.fixture
async def client(server: Valkey) -> AsyncIterator[Any]:
    made = Redis.from_url(server.url)
    await made.flushall()
    yield made
    await made.aclose()


@pytest.fixture(params=["in-process", "redis"])
async def store(
    request: pytest.FixtureRequest,
    server: Valkey,
    client: Any,  # noqa: ARG001 - empties the server
) -> AsyncIterator[HotStore]:
    made = InProcessStore() if request.param == "in-process" else RedisStore(server.url)
    yield made
    await made.close()


class TestEveryStore:
    async def test_gives_back_what_was_kept_and_nothing_else(self, store: HotStore) -> None:
        await store.put("one", b"1")
        await store.put("one", b"2")

        assert await store.get("one") == b"2"
        assert await store.get("another") is None

    async def test_carries_windows_of_bars(self, store: HotStore) -> None:
        windows = SealedWindows(store, secret=SECRET)
        before = await windows.frame("AAPL")

        await windows.keep("AAPL", FRAME)
        after = await windows.frame("AAPL")

        assert before is None
        assert after is not None
        assert after.equals(FRAME)
        assert after.schema == FRAME.schema
        assert (windows.state().hits, windows.state().misses, windows.state().refused) == (1, 1, 0)


class TestInProcess:
    async def test_lets_go_of_what_was_used_least_lately(self) -> None:
        store = InProcessStore(bytes_max=10)
        await store.put("a", b"12345")
        await store.put("b", b"12345")
        await store.get("a")

        await store.put("c", b"123")

        assert [await store.get(key) for key in "abc"] == [b"12345", None, b"123"]

    async def test_keeps_nothing_longer_than_its_time(self) -> None:
        time = Time()
        store = InProcessStore(kept=timedelta(seconds=60), now_s=time)
        await store.put("a", b"1")

        time.now = 60.0

        assert await store.get("a") is None
        assert store.state().says.startswith("in this process, 0.0 of")

    async def test_does_not_empty_itself_for_what_never_fits(self) -> None:
        store = InProcessStore(bytes_max=10)
        await store.put("a", b"1")

        await store.put("b", b"12345678901")

        assert [await store.get(key) for key in "ab"] == [b"1", None]


def forged() -> bytes:
    """A well-formed window of dreamt-up prices, sealed without the secret."""
    buffer = io.BytesIO()
    FRAME.with_columns(pl.col("close") * 2).write_ipc(buffer)
    return bytes(32) + buffer.getvalue()


HOSTILE = {
    "nothing": b"", "a word": b"yes", "a pickle": b"cos\nsystem\n(S'true'\ntR.", "a forgery": forged(),
    "zeros": bytes(100_000), "too much": bytes(VALUE_MAX + 10_000),
}  # fmt: skip


class TestHostileContent:
    @pytest.mark.parametrize("what", HOSTILE)
    async def test_is_not_believed(self, server: Valkey, client: Any, what: str) -> None:
        store = RedisStore(server.url)
        windows = SealedWindows(store, secret=SECRET)
        await windows.keep("AAPL", FRAME)
        [key] = await client.keys()

        await client.set(key, HOSTILE[what])

        assert await windows.frame("AAPL") is None
        assert windows.state().refused == (what != "nothing")  # an empty value is none
        await store.close()

    async def test_of_another_type_is_refused_and_written_over(self, server: Valkey, client: Any) -> None:
        store = RedisStore(server.url)
        windows = SealedWindows(store, secret=SECRET)
        await windows.keep("AAPL", FRAME)
        [key] = await client.keys()
        await client.delete(key)
        await client.lpush(key, "a", "list")

        told = await windows.frame("AAPL")
        await windows.keep("AAPL", FRAME)

        assert told is None
        assert await windows.frame("AAPL") is not None
        assert (windows.state().refused, windows.state().failures) == (1, 0)
        await store.close()

    async def test_with_any_byte_changed_or_missing_is_noticed(self) -> None:
        store = InProcessStore()
        windows = SealedWindows(store, secret=SECRET)
        await windows.keep("AAPL", FRAME)
        [(key, (_, value))] = store._values.items()

        for place in range(0, len(value), 7):
            await store.put(key, value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :])
            assert await windows.frame("AAPL") is None
            await store.put(key, value[:place])
            assert await windows.frame("AAPL") is None
        assert windows.state().refused == 2 * len(range(0, len(value), 7))

    async def test_under_another_name_or_of_another_secret_is_noticed(self) -> None:
        store = InProcessStore()
        windows, others = SealedWindows(store, secret=SECRET), SealedWindows(store, secret=b"of somebody else")
        await windows.keep("AAPL", FRAME)
        [(_, (_, value))] = store._values.items()

        for asker, name in ((windows, "MSFT"), (others, "AAPL")):
            await store.put(asker._address(name), value)
            assert await asker.frame(name) is None
            assert asker.state().refused == 1


class TestAServerThatIsAway:
    async def test_is_left_alone_after_some_failures_and_found_again(self) -> None:
        time = Time()
        with valkey() as server:
            store = RedisStore(server.url, now_s=time, answer_s=0.1)
            await store.put("a", b"1")
            server.freeze()

            told = [await store.get("a") for _ in range(FAILURES_MAX + 5)]
            away = store.state()
            server.thaw()
            at_rest = await store.get("a")
            time.now = REST_S

            assert told == [None] * (FAILURES_MAX + 5)
            assert (away.is_away, away.failures) == (True, FAILURES_MAX)
            assert at_rest is None
            assert await store.get("a") == b"1"
            assert (store.state().is_away, store.state().failures) == (False, FAILURES_MAX)
            await store.close()

    async def test_costs_an_answer_when_it_is_killed_and_no_error(self) -> None:
        with valkey() as server:
            windows = SealedWindows(store := RedisStore(server.url), secret=SECRET)
            await windows.keep("AAPL", FRAME)
            server.kill()

            for _ in range(FAILURES_MAX + 1):
                assert await windows.frame("AAPL") is None
                await windows.keep("AAPL", FRAME)

            assert windows.state().is_away
            assert "pages read the database" in windows.state().says
            await store.close()


class TestAddresses:
    async def test_of_a_cluster_are_understood(self) -> None:
        with valkey(**{"cluster-enabled": True}) as server:
            admin = Redis.from_url(server.url)
            await admin.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)  # type: ignore[no-untyped-call]
            while (await admin.cluster("info"))["cluster_state"] != "ok":  # noqa: ASYNC110 - the server tells it only so
                await asyncio.sleep(0.01)
            store = RedisStore(f"redis+cluster://127.0.0.1:{server.port}", answer_s=5.0)

            await store.put("a", b"1")

            assert await store.get("a") == b"1"
            assert (await store.version()).startswith("Valkey")
            assert store.state().failures == 0
            await store.close()
            await admin.aclose()

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="a certificate is made by openssl")
    @pytest.mark.usefixtures("client")
    async def test_with_tls_are_spoken_to_in_private_and_only_when_the_certificate_holds(
        self, server: Valkey, tmp_path: Path
    ) -> None:
        public, private = certificate(tmp_path)
        async with behind_tls(server.port, public=public, private=private) as port:
            trusting = RedisStore(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={public}", answer_s=5.0)
            careful = RedisStore(f"rediss://127.0.0.1:{port}/0", answer_s=5.0)

            await trusting.put("a", b"1")

            assert await trusting.get("a") == b"1"
            assert await careful.get("a") is None
            assert careful.state().failures == 1
            await trusting.close()
            await careful.close()

    def test_are_shown_without_what_is_secret_in_them(self) -> None:
        assert place_of("rediss://user:pass@cache:6380/1?ssl_ca_certs=/x") == "rediss://cache:6380/1"
