"""schemas.lock.json: the same for the same app, only ever added to, and read with care."""

import json
from pathlib import Path
from typing import Any

import pytest

from postroom.contracts.lock import Entry, Lock, Version
from postroom.contracts.modes import Mode
from postroom.jobs.errors import ConfigError

KEY = ("message", "order.placed")


def entry(*schemas: dict[str, Any]) -> Entry:
    found = Entry((), Mode.FULL)
    for number, schema in enumerate(schemas, 1):
        found = found.with_version(KEY, Version(number, schema, {"id": number}))
    return found


def test_what_is_written_is_read_and_has_one_form(tmp_path: Path) -> None:
    path = tmp_path / "schemas.lock.json"
    lock = Lock({KEY: entry({"type": "object"}, {"type": "string"}), ("task", "a.b"): entry({})})
    lock.write(path)
    text = path.read_text()
    assert Lock.read(path) == lock
    assert Lock(dict(reversed(lock.entries.items()))).text() == text
    assert [path.name for path in tmp_path.iterdir()] == [path.name]
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_more_versions_leave_the_old_lines_as_they_are() -> None:
    short, long = Lock({KEY: entry({"type": "object"})}).text(), Lock({KEY: entry({"type": "object"}, {})}).text()
    assert set(short.splitlines()) - set(long.splitlines()) == set()


@pytest.mark.parametrize(
    ("change", "edited"),
    [
        (lambda versions: versions[0].update(schema={"type": "integer"}), 1),
        (lambda versions: versions[1].update(sample=3), 2),
        (lambda versions: versions[1].update(min_reader=2), 2),
        (lambda versions: versions.pop(0), 2),
        (lambda versions: versions.pop(1), 3),
        (lambda versions: versions.reverse(), 3),
        (lambda versions: versions.append(versions[0]), 1),
        (lambda versions: None, None),
    ],
)
def test_an_edited_past_is_met(tmp_path: Path, change: Any, edited: int | None) -> None:
    path = tmp_path / "lock"
    Lock({KEY: entry({}, {"type": "object"}, {"type": "string"})}).write(path)
    document = json.loads(path.read_text())
    change(document["message"]["order.placed"]["versions"])
    path.write_text(json.dumps(document))
    assert Lock.read(path).entries[KEY].edited(KEY) == edited


def test_a_version_of_another_name_is_not_of_this_one() -> None:
    assert entry({}).edited(("message", "order.paid")) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<<<<<<< HEAD", "no lock of schemas"),
        ('{"format": 2}', "format 2"),
        ('{"format": 1, "messages": {}}', "unknown field `messages`"),
        ('{"format": 1, "task": {"a": {"versions": [], "mode": "MOST"}}}', "MOST"),
    ],
)
def test_what_is_no_lock_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "lock"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        Lock.read(path)


def test_no_file_is_an_empty_lock_and_a_folder_is_none(tmp_path: Path) -> None:
    assert Lock.read(tmp_path / "none") == Lock()
    with pytest.raises(ConfigError, match="cannot be read"):
        Lock.read(tmp_path)
    with pytest.raises(ConfigError, match="cannot be written"):
        Lock().write(tmp_path / "no" / "lock")
