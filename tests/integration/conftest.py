"""What the integration tests share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from postroom.__main__ import main
from tests.integration.programs import Command, Program, Said
from tests.integration.sentry_server import SentryServer
from tests.servers import Server


@pytest.fixture
def program(tmp_path: Path, server: Server, client: redis.Redis) -> Iterator[Program]:
    """A user's folder on the session's server, emptied."""
    found = Program(tmp_path, server.url)
    yield found
    found.close()


@pytest.fixture
def command(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`postroom …` on the session's server, nobody at the terminal."""
    monkeypatch.setenv("POSTROOM_REDIS_URL", server.url)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["postroom", *arguments])
        capsys.readouterr()
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        else:
            code = 0
        return Said(int(code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def sentry() -> Iterator[SentryServer]:
    """A Sentry that takes real envelopes."""
    server = SentryServer()
    yield server
    server.close()
