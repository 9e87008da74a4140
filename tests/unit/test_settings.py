"""Settings: flag > environment > `[tool.postroom]` > default, and errors that name what they do not like."""

from pathlib import Path

import pytest

from postroom import ConfigError, Postroom
from postroom.jobs.settings import Settings


def pyproject(folder: Path, table: str) -> None:
    (folder / "pyproject.toml").write_text(table)


def test_defaults() -> None:
    settings = Settings.load()
    assert (settings.redis_url, settings.lease, settings.result_ttl, settings.concurrency) == ("", 12.0, 500, 10)


def test_each_source_wins_over_the_next(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().lease == 12.0
    pyproject(bare, "[tool.postroom]\nlease = 3\nconcurrency = 4\n")
    assert Settings.load().lease == 3.0
    monkeypatch.setenv("POSTROOM_LEASE", "2.5")
    assert Settings.load().lease == 2.5
    assert Settings.load(lease=1.0).lease == 1.0
    assert Settings.load(lease=None).lease == 2.5, "a flag that is None is not set"
    assert Settings.load().concurrency == 4, "what the environment does not say comes from the file"


def test_url_of_its_own_variable_wins_over_the_common_one(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyproject(bare, '[tool.postroom]\nredis_url = "redis://file"\n')
    assert Settings.load().redis_url == "redis://file"
    monkeypatch.setenv("REDIS_URL", "redis://common")
    assert Settings.load().redis_url == "redis://common"
    monkeypatch.setenv("POSTROOM_REDIS_URL", "redis://own")
    assert Settings.load().redis_url == "redis://own"
    assert Postroom("redis://flag").settings.redis_url == "redis://flag"


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_LEASE", "")
    monkeypatch.setenv("REDIS_URL", "")
    assert Settings.load() == Settings()


def test_pyproject_of_a_folder_above_is_found(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyproject(bare, "[tool.postroom]\ntimeout = 7\n")
    inner = bare / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert Settings.load().timeout == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lease", "soon"),
        ("lease", "-1"),
        ("lease", "0"),
        ("lease", "nan"),
        ("deadline", "inf"),
        ("concurrency", "0"),
        ("concurrency", "2.5"),
        ("payload_limit", "1MB"),
        ("timeout", "0"),
        ("result_ttl", "-2"),
        ("result_ttl", "9" * 30),
    ],
)
def test_a_bad_value_is_named_wherever_it_stands(
    name: str, value: str, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rf"{name}=.*{value}"
    with pytest.raises(ConfigError, match=expected):
        Settings.load(**{name: value})
    monkeypatch.setenv(f"POSTROOM_{name.upper()}", value)
    with pytest.raises(ConfigError, match=expected):
        Settings.load()
    monkeypatch.delenv(f"POSTROOM_{name.upper()}")
    pyproject(bare, f'[tool.postroom]\n{name} = "{value}"\n')
    with pytest.raises(ConfigError, match=expected):
        Settings.load()


def test_ttls_may_say_for_ever() -> None:
    assert Settings.load(result_ttl=-1, failure_ttl=-1) == Settings(result_ttl=-1, failure_ttl=-1)


def test_a_fraction_is_not_cut_off(bare: Path) -> None:
    pyproject(bare, "[tool.postroom]\nconcurrency = 2.5\n")
    with pytest.raises(ConfigError, match=r"concurrency=2\.5"):
        Settings.load()


def test_a_flag_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="leese"):
        Postroom("redis://x", leese=3)


def test_a_setting_that_does_not_exist(bare: Path) -> None:
    pyproject(bare, "[tool.postroom]\nleese = 3\n")
    with pytest.raises(ConfigError, match=r"'leese'; there are: .*\blease\b"):
        Settings.load()


@pytest.mark.parametrize("text", ["[tool.postroom\n", "[tool]\npostroom = 3\n", "tool = 3\n"])
def test_a_file_that_cannot_be_read_is_named(text: str, bare: Path) -> None:
    pyproject(bare, text)
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        Settings.load()


def test_a_file_that_is_not_utf8_is_named(bare: Path) -> None:
    (bare / "pyproject.toml").write_bytes(b'[tool.postroom]\nredis_url = "\xff"\n')
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        Settings.load()


def test_settings_of_other_tools_are_theirs(bare: Path) -> None:
    pyproject(bare, "[tool.ruff]\nline-length = 120\n")
    assert Settings.load() == Settings()


@pytest.mark.parametrize(("text", "on"), [("1", True), ("true", True), ("On", True), ("0", False), ("no", False)])
def test_what_is_on_or_off(text: str, on: bool, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load(otel=True).otel
    pyproject(bare, "[tool.postroom]\notel = true\n")
    assert Settings.load().otel
    monkeypatch.setenv("POSTROOM_OTEL", text)
    assert Settings.load().otel is on
    monkeypatch.setenv("POSTROOM_OTEL", "maybe")
    with pytest.raises(ConfigError, match="otel='maybe': expected one of 1, true"):
        Settings.load()
