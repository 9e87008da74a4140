"""What the integration tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.programs import Program
from tests.servers import Server


@pytest.fixture
def program(tmp_path: Path, server: Server, client: redis.Redis) -> Iterator[Program]:
    """A user's folder on the session's server, emptied."""
    found = Program(tmp_path, server.url)
    yield found
    found.close()
