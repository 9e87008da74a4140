"""What the tests of alerts share: a receiver, and files of rules."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from postroom.monitor.alerts.rules import Rules, read_rules
from tests.integration.alerts.receiver import SECRET, Receiver, receiving
from tests.integration.programs import Command

Write = Callable[[str], Rules]
Alerts = Command


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """One, on this machine."""
    with receiving() as found:
        yield found


@pytest.fixture
def write(receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the file of rules into the current folder; they notify the receiver, as `ops`."""
    monkeypatch.setenv("OPS_SECRET", SECRET)
    monkeypatch.chdir(tmp_path)

    def rules(text: str) -> Rules:
        path = tmp_path / "postroom-alerts.toml"
        path.write_text(
            f'notify = ["ops"]\n[[webhook]]\nname = "ops"\nurl = "{receiver.url}"\nsecret_env = "OPS_SECRET"\n'
            f'allow_private = true\nallow_http = true\ntimeout = "1s"\n{text}'
        )
        return read_rules(path)

    return rules


@pytest.fixture
def alerts(command: Command) -> Alerts:
    """`postroom alerts …`."""
    return partial(command, "alerts")
