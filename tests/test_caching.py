"""Which cache the settings choose, and what `doctor` says of it."""

from evil2root.main.caching import looked_at, windows_of
from evil2root.settings import Settings
from tests.servers.valkey import valkey


def some(url: str | None) -> Settings:
    return Settings() if url is None else Settings.model_validate({"redis_url": url})


async def test_without_an_address_it_is_in_this_process() -> None:
    assert windows_of(some(None), secret=b"x").state().kind == "in-process"
    assert await looked_at(some(None)) == (True, "in this process, 0.0 of 32 MiB")


async def test_with_an_address_its_server_is_asked_who_it_is() -> None:
    with valkey() as server:
        answers, says = await looked_at(some(server.url))

        assert answers
        assert says.startswith("Valkey 9.")
        assert says.endswith(server.url)
        assert windows_of(some(server.url), secret=b"x").state().kind == "redis"


async def test_a_server_that_does_not_answer_is_a_reserve_without_its_password() -> None:
    secret = "pass-word"
    with valkey() as server:
        url = server.url.replace("//", f"//somebody:{secret}@")
        server.kill()

        answers, says = await looked_at(some(url))

    assert not answers
    assert "does not answer (ConnectionError): pages read the database" in says
    assert secret not in says
