"""The file of alert rules: what it may say, and how what is wrong in it is named."""

import base64
import hmac
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from postroom import ConfigError, Postroom
from postroom.duties import duties
from postroom.jobs.settings import Settings
from postroom.monitor.alerts import find_rules
from postroom.monitor.alerts.measure import Measured
from postroom.monitor.alerts.notice import State, notices
from postroom.monitor.alerts.rules import Rule, Rules, Webhook, read_rules
from postroom.monitor.alerts.webhook import signature

KEY = bytes(range(24))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
HOOK = '[[webhook]]\nname="ops"\nurl="https://ops.example/x?y=1"\nsecret_env="OPS"\n'
ALL = f"""
notify = ["log", "ops"]

{HOOK}
[[webhook]]
name = "inside"
url = "http://inside:8080"
secret_file = "inside.secret"
allow_http = true
allow_private = true
timeout = "2s"

[[rule]]
name = "many die"
dead = 20
within = "5m"
queue = "mail"

[[rule]]
name = "backlog"
oldest = "10m"
calm = "0s"
notify = ["inside"]

[[rule]]
name = "nobody"
no_worker = "1m"

[[rule]]
name = "stuck"
needs_upgrade = "15m"
queue = "mail"

[[rule]]
name = "silent"
scheduler_silent = "30s"
"""


@pytest.fixture(autouse=True)
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the secrets stand."""
    monkeypatch.setenv("OPS", SECRET)
    (tmp_path / "inside.secret").write_text(f"{SECRET}\n")


def read(tmp_path: Path, text: str) -> Rules:
    path = tmp_path / "postroom-alerts.toml"
    path.write_text(text)
    return read_rules(path)


def test_all_that_it_may_say(tmp_path: Path) -> None:
    rules = read(tmp_path, ALL)
    both = ("log", "ops")
    assert rules.rules == (
        Rule("many die", "dead", 20, both, "mail", within=300),
        Rule("backlog", "oldest", 600, ("inside",), calm=0),
        Rule("nobody", "no_worker", 60, both),
        Rule("stuck", "needs_upgrade", 900, both, "mail"),
        Rule("silent", "scheduler_silent", 30, both),
    )
    assert rules.webhooks == {
        "ops": Webhook("ops", "https://ops.example/x?y=1", KEY),
        "inside": Webhook("inside", "http://inside:8080", KEY, allow_private=True, timeout=2),
    }
    assert read(tmp_path, "").rules == ()


RULE = '[[rule]]\nname="r"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[rule", ["cannot be read"]),
        ("rules = 1", ["rules", "rule, webhook, notify"]),
        ("rule = 1", ["rule=1"]),
        ("notify = [1]", ["notify=[1]"]),
        ('[[rule]]\noldest="1m"', ["rule number 1", "name=None"]),
        ('[[rule]]\nname=""\noldest="1m"', ["rule number 1", "name=''"]),
        (RULE, ["rule 'r'", "dead, expired, oldest, no_worker, needs_upgrade, scheduler_silent"]),
        (RULE + 'oldest="1m"\nno_worker="1m"', ["oldest and no_worker"]),
        (RULE + 'oldest="soon"', ["oldest", "'soon'"]),
        (RULE + "oldest=60", ["oldest=60", "str"]),
        (RULE + 'oldest="0s"', ["oldest='0s'"]),
        (RULE + "dead=5", ["within=None"]),
        (RULE + "expired=5", ["within=None"]),
        (RULE + 'expired=0\nwithin="1m"', ["expired=0", "1 to 10,000"]),
        (RULE + 'dead=0\nwithin="1m"', ["dead=0"]),
        (RULE + 'dead=10001\nwithin="1m"', ["dead=10001"]),
        (RULE + 'dead=true\nwithin="1m"', ["dead=True"]),
        (RULE + 'oldest="1m"\nwithin="1m"', ["within='1m'"]),
        (RULE + 'oldest="1m"\nqueu="mail"', ["queu"]),
        (RULE + 'oldest="1m"\nqueue="a\\nb"', ["a\\nb"]),
        (RULE + 'scheduler_silent="1m"\nqueue="mail"', ["queue='mail'"]),
        (RULE + 'oldest="1m"\nnotify=["ops"]', ["notify='ops'", "'log'"]),
        (RULE + 'oldest="1m"\nnotify=[]', ["notify=[]"]),
        (RULE + 'oldest="1m"\n' + RULE + 'oldest="2m"', ["two rules", "name='r'"]),
        (HOOK + HOOK, ["two webhooks", "'ops'"]),
        (HOOK.replace('"ops"', '"log"'), ["name='log'"]),
        (HOOK.replace("https://ops.example/x?y=1", "ftp://x"), ["url='ftp://x'"]),
        (HOOK.replace("https://ops.example/x?y=1", "https://a..b"), ["url='https://a..b'"]),
        (HOOK.replace("https://ops.example/x?y=1", "https://a:99999"), ["url='https://a:99999'"]),
        (HOOK.replace("https://ops.example/x?y=1", "https:///x"), ["url='https:///x'"]),
        (HOOK.replace("https://ops.example/x?y=1", "https://a/b c"), ["url='https://a/b c'"]),
        (HOOK.replace("https://ops.example/x?y=1", "https://a/\\r\\nb"), ["url='https://a/\\r\\nb'"]),
        (HOOK.replace("https://", "http://"), ["allow_http"]),
        (HOOK.replace("https://", "https://me:pw@"), ["user's name"]),
        (HOOK + 'timeout="2m"', ["timeout='2m'"]),
        (HOOK.replace("OPS", "NOT_SET"), ["secret_env='NOT_SET'", "whsec_"]),
        (HOOK.replace("secret_env", "secret_file"), ["secret_file='OPS'", "FileNotFoundError"]),
        (HOOK.replace('secret_env="OPS"', ""), ["secret_env", "secret_file"]),
        (HOOK + 'secret="whsec_x"', ["secret"]),
    ],
)
def test_what_is_wrong_is_named(text: str, said: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    for part in (str(tmp_path / "postroom-alerts.toml"), *said):
        assert part in str(raised.value)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "whsec_!!!!", base64.b64encode(KEY).decode()])
def test_a_wrong_secret_is_not_told(secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS", secret)
    with pytest.raises(ConfigError, match="secret_env='OPS'") as raised:
        read(tmp_path, HOOK)
    assert len(secret) < 7 or secret not in str(raised.value)


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_rules(Settings()) is None
    file = tmp_path / "postroom-alerts.toml"
    file.write_text("")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert find_rules(Settings()) == file
    with pytest.raises(ConfigError, match=r"alerts='other\.toml'"):
        find_rules(Settings(alerts="other.toml"))
    Path("other.toml").write_text("")
    assert find_rules(Settings(alerts="other.toml")) == Path("other.toml")


def test_only_rules_ask_for_the_duties_of_alerts(tmp_path: Path) -> None:
    app = Postroom("redis://127.0.0.1:1")
    few = [type(duty).__name__ for duty in duties(app)]
    (tmp_path / "postroom-alerts.toml").write_text("")
    assert [type(duty).__name__ for duty in duties(app)] == [*few, "Judge", "Deliver"]


GOOD, BAD = Measured(False, "fine", 0), Measured(True, "not fine", 7)


def walk(rule: Rule, *found: tuple[float, Measured]) -> list[bool]:
    """Whether it fires, look after look."""
    state, fires = State(False, 0, ""), []
    for now, measured in found:
        state = state.next(rule, measured, now)
        fires.append(state.firing)
    return fires


def test_it_fires_at_once_and_is_over_when_all_was_well_for_a_while() -> None:
    rule = Rule("r", "dead", 1, calm=10)
    found = [(1, GOOD), (2, BAD), (3, GOOD), (12, GOOD), (12.5, BAD), (13, GOOD), (22, GOOD), (23, GOOD), (24, BAD)]
    assert walk(rule, *found) == [False, True, True, True, True, True, True, False, True]


@pytest.mark.parametrize("kind", ["no_worker", "needs_upgrade"])
def test_what_is_usual_between_two_deploys_must_last(kind: str) -> None:
    rule = Rule("r", kind, 10, calm=0)
    found = [(1, BAD), (10, BAD), (10.5, GOOD), (11, BAD), (20, BAD), (21, BAD), (22, GOOD)]
    assert walk(rule, *found) == [False, False, False, False, False, True, False]


def test_its_notices() -> None:
    rule = Rule("r", "dead", 1, ("log", "ops"), calm=0)
    calm = State(False, 0, "fine")
    fires = calm.next(rule, BAD, 1000)
    told = list(notices(rule, calm, fires))
    assert [notice.target for notice in told] == ["log", "ops"]
    assert told == list(notices(rule, calm, fires)), "the same ids, whoever makes them"
    assert told[1].event == {
        "type": "alert.firing",
        "timestamp": "1970-01-01T00:16:40.000Z",
        "data": {
            "rule": "r",
            "state": "firing",
            "text": "r: not fine",
            "value": 7,
            "since": "1970-01-01T00:16:40.000Z",
        },
    }
    assert list(notices(rule, fires, fires.next(rule, BAD, 1001))) == []
    over = list(notices(rule, fires, fires.next(rule, GOOD, 1300)))
    assert over[1].event == {
        "type": "alert.over",
        "timestamp": "1970-01-01T00:21:40.000Z",
        "data": {
            "rule": "r",
            "state": "over",
            "text": "over after 5 m: r: fine",
            "value": 0,
            "since": "1970-01-01T00:16:40.000Z",
        },
    }
    assert len({notice.id for notice in (*told, *over)}) == 4


def block(language: str, beginning: str) -> str:
    """The code of docs/alerts.md that begins so."""
    text = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    (found,) = [part for part in text.split(f"```{language}\n")[1:] if part.startswith(beginning)]
    return found.partition("```")[0]


def test_the_example_of_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_SECRET", SECRET)
    assert [rule.kind for rule in read(tmp_path, block("toml", "notify")).rules] == [
        *("dead", "oldest", "expired", "no_worker", "needs_upgrade", "scheduler_silent")
    ]


def test_the_receiver_of_the_docs() -> None:
    names = {"base64": base64, "hmac": hmac, "time": time, "Mapping": Mapping}
    exec(block("python", "def verified"), names)  # noqa: S102 - our own docs
    verified: Any = names["verified"]
    at = int(time.time())

    def headers(at: int) -> dict[str, str]:
        signed = signature(KEY, "m", at, b"{}")
        return {"webhook-id": "m", "webhook-timestamp": str(at), "webhook-signature": signed}

    assert verified(SECRET, headers(at), b"{}")
    assert not verified(SECRET, headers(at), b"{ }")
    assert not verified(SECRET, headers(at - 3_600), b"{}")
    assert not verified(SECRET, {**headers(at), "webhook-id": "n"}, b"{}")
