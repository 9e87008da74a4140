"""The schemas in the lock are taken up, or what is wrong with the file is told."""

from pathlib import Path

import pytest

from postroom.jobs.errors import ConfigError, DecodeError
from postroom.jobs.schema_lock import FILE, learn_locked


def learned(text: bytes) -> bytes:
    """What stands for a codec's `learn`: the fingerprint of a schema is its text."""
    if text == b'"bad"':
        raise DecodeError("it is none")
    return text.strip(b'"')


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_a_lock_nothing_is_known_before() -> None:
    learn_locked("avro", learned)


def test_those_of_one_codec_are_taken_up() -> None:
    Path(FILE).write_text('{"format":1,"task":{},"avro":{"61":"a"},"protobuf":{"62":"b","63":"c"}}')
    seen: list[bytes] = []
    learn_locked("protobuf", lambda text: seen.append(text) or learned(text))  # type: ignore[func-returns-value]
    assert seen == [b'"b"', b'"c"']


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<<<<<<<", "JSON is malformed"),
        ('{"avro":[]}', "Expected `object`"),
        ('{"avro":{"61":"bad"}}', "it is none. Take it from the last commit"),
        ('{"avro":{"61":"other"}}', "the schema 61 is 6f74686572. Take it from the last commit"),
    ],
)
def test_a_lock_that_is_none(text: str, told: str) -> None:
    Path(FILE).write_text(text)
    with pytest.raises(ConfigError, match=rf"^{FILE}: .*{told}"):
        learn_locked("avro", learned)


def test_a_lock_that_cannot_be_read() -> None:
    Path(FILE).mkdir()
    with pytest.raises(ConfigError, match=f"{FILE} cannot be read"):
        learn_locked("avro", learned)
