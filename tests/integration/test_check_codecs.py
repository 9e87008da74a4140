"""The deploy gate binds what waits on a server in every codec: queued, scheduled, by a schedule, and dead."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postroom import Postroom
from postroom.jobs import timetable
from postroom.jobs.codecs import CODECS
from tests.integration.programs import Command, burst
from tests.integration.test_check import APP, MADE
from tests.servers import Server


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Writes an app whose task takes this parameter; what is to be checked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(parameters: str) -> str:
        name = f"codecs_shop_{next(MADE)}"
        Path(f"{name}.py").write_text(APP.format(parameters))
        return f"{name}:app"

    return write


@pytest.mark.parametrize("codec", CODECS)
def test_what_waits_in_any_codec_and_state_is_bound(
    app: Postroom, server: Server, command: Command, shop: Callable[[str], str], codec: str
) -> None:
    @app.task(name="receipt", codec=codec)
    def receipt(order: str) -> None:
        raise ValueError(order)

    receipt.enqueue("dies")
    burst(app)
    receipt.enqueue("waits")
    receipt.using(delay=timedelta(hours=1)).enqueue("later")
    app.schedule(receipt, name="nightly", every=timedelta(hours=1), args=("ticks",))
    app.broker.run(timetable.declare(app.keys, app.schedules["nightly"], 1.0))
    assert command("check", shop("order: str"), "--against", server.url).code == 0
    said: Any = command("check", shop("order: int"), "--against", server.url, "--json")
    assert said.code == 1
    (problem,) = said.json["problems"]
    assert (problem["task"], problem["count"]) == ("receipt", 4)
    assert problem["states"] == {"dead": 1, "queued": 1, "scheduled": 1, "cron": 1}
