"""What all tests share: one real server a session, empty at the start of each test."""

from collections.abc import Iterator

import pytest
import redis

from postroom import Postroom
from tests.servers import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The session's server."""
    with Server() as started:
        yield started


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    """A client of the session's server, emptied."""
    with server.client() as found:
        found.flushall()
        yield found


@pytest.fixture
def app(server: Server, client: redis.Redis) -> Iterator[Postroom]:
    """An app on the session's server, emptied, without tasks. To its workers an unknown task is dead at once."""
    made = Postroom(server.url, unknown_task_ttl=0)
    yield made
    made.broker.close()
