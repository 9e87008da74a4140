"""The failpoints of the fault harness: which there are, and that one which is not met is not green."""

import pytest

from postroom.jobs.scripts import SCRIPTS
from tests.fault.cases.points import made_of, summed, unsent
from tests.fault.failpoint import Failpoint, name_of
from tests.fault.verdict import Verdict


def test_every_pair_is_struck_at_every_moment_in_every_way() -> None:
    """And what is made reads back as itself."""
    made = made_of({("worker", "claim"), ("pool", "PING")})
    assert len(made) == 2 * 2 * 3
    assert [Failpoint.parse(str(point)) for point in made] == made


@pytest.mark.parametrize(
    "text",
    ["", "worker:claim:after", "cook:claim:after:kill", "worker:nonsense:after:kill", "worker:claim:while:kill"],
)
def test_an_unknown_failpoint_raises(text: str) -> None:
    """It would never be met."""
    with pytest.raises(ValueError, match="no failpoint"):
        Failpoint.parse(text)


def test_a_command_is_called_by_its_scripts_name() -> None:
    """Else by its own."""
    assert name_of(["EVALSHA", SCRIPTS["claim"].sha, 0]) == "claim"
    assert name_of(("PING",)) == "PING"


def test_a_script_that_nobody_sends_is_named() -> None:
    """A new script must be part of the scenario."""
    assert unsent({("worker", name) for name in SCRIPTS if name != "retry"}) == ["retry"]


def test_a_failpoint_that_was_not_met_is_red() -> None:
    """The sum of all says so, too."""
    met, missed = Verdict("a", acked=3, exist=1, fired=1), Verdict("b", acked=4, exist=1)
    assert summed("both", 1, [met, met], 1.0).red == []
    total = summed("both", 1, [met, missed], 1.0)
    assert (total.acked, total.exist, total.fired) == (7, 2, 1)
    assert total.red == ["1 of 2 failpoints did not fire"]
