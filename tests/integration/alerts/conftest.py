"""What the tests of alerts share: a receiver, and files of rules."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postroom.__main__ import main
from postroom.scheduler.alerts.rules import Rules, read_rules
from tests.integration.alerts.receiver import SECRET, Receiver, receiving
from tests.integration.dead.conftest import Said
from tests.servers import Server

Write = Callable[[str], Rules]
Alerts = Callable[..., Said]


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
def alerts(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Alerts:
    """`postroom alerts …` on the session's server."""
    monkeypatch.setenv("POSTROOM_REDIS_URL", server.url)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["postroom", "alerts", *arguments])
        capsys.readouterr()
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        else:
            code = 0
        return Said(int(code or 0), *capsys.readouterr())

    return run
