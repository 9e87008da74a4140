"""The fault harness in its short form: every case, fewer jobs."""

import pytest

from tests.fault.cases import ALL
from tests.fault.ground import Ground
from tests.servers import Server


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ALL)
def test_case(name: str, server: Server) -> None:
    """Every verdict of the case is green."""
    verdicts = list(ALL[name](Ground(server.url, seed=1, jobs=2_000, short=True)))
    assert verdicts
    assert [verdict.line() for verdict in verdicts if verdict.red] == []
