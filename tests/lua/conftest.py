"""The table that the scripts' rows are checked on."""

from collections.abc import Iterator

import pytest

from tests.lua.table import Table
from tests.servers import Server


@pytest.fixture(scope="module")
def table(server: Server) -> Iterator[Table]:
    """One for each file; each row empties the server."""
    made = Table(server)
    yield made
    made.close()
