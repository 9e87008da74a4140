"""The fault harness in its short form: every case, fewer jobs."""

from collections.abc import Iterator

import pytest

from tests.fault.cases import ALL
from tests.fault.lanes import Lanes


@pytest.fixture(scope="module")
def lanes(request: pytest.FixtureRequest) -> Iterator[Lanes]:
    """All cases that were asked for are being played."""
    asked = [item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function)]
    with Lanes([str(item.callspec.params["name"]) for item in asked]) as playing:
        yield playing


@pytest.mark.timeout(480)  # a case may have to wait for all others
@pytest.mark.parametrize("name", ALL)
def test_case(name: str, lanes: Lanes) -> None:
    """Every verdict of the case is green."""
    verdicts = lanes.verdicts[name].result()
    assert verdicts
    assert [verdict.line() for verdict in verdicts if verdict.red] == []
