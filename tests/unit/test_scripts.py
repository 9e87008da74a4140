"""The scripts' loader: signatures are read from the first lines, includes are put in place once."""

import hashlib
from importlib.resources import files

import pytest

from postroom.jobs.scripts import SCRIPTS, Script, expand

GOOD = "local queue, wip = unpack(KEYS)\nlocal rq, now = unpack(ARGV, 1, 2)\nreturn 1\n"


def test_every_file_is_loaded_under_its_name() -> None:
    there = [path.name for path in files("postroom.jobs.lua").iterdir()]
    assert set(SCRIPTS) == {name.removesuffix(".lua") for name in there if name.endswith(".lua")}
    assert {"enqueue", "claim", "renew", "complete", "retry", "bury", "release", "recover"} <= set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_loaded_script_is_whole(name: str) -> None:
    script = SCRIPTS[name]
    assert "--@include" not in script.source
    assert script.sha == hashlib.sha1(script.source.encode(), usedforsecurity=False).hexdigest()
    assert script.source.count("unpack(KEYS)") == 1
    assert len(set(script.keys) | set(script.args)) == len(script.keys) + len(script.args)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_function_is_there_once(name: str) -> None:
    functions = [line for line in SCRIPTS[name].source.splitlines() if line.startswith("local function ")]
    assert len(functions) == len(set(functions))


def test_the_signature_is_read_from_the_first_lines() -> None:
    script = Script.parse("mine", GOOD)
    assert (script.keys, script.args) == (("queue", "wip"), ("rq", "now"))
    assert script.command({"wip": "W", "queue": "Q"}, {"now": 5, "rq": "rq:"}, ["job", 1]) == [
        "EVALSHA",
        script.sha,
        2,
        "Q",
        "W",
        "rq:",
        5,
        "job",
        1,
    ]


def test_one_key_and_one_argument() -> None:
    script = Script.parse("mine", "local job = unpack(KEYS)\nlocal rq = unpack(ARGV, 1, 1)\n")
    assert (script.keys, script.args) == (("job",), ("rq",))


def test_a_name_that_is_not_given_is_missed_at_once() -> None:
    script = Script.parse("mine", GOOD)
    with pytest.raises(KeyError, match="wip"):
        script.command({"queue": "Q"}, {"rq": "rq:", "now": ""})
    with pytest.raises(KeyError, match="now"):
        script.command({"queue": "Q", "wip": "W"}, {"rq": "rq:"})


@pytest.mark.parametrize("source", ["", "return 1", GOOD.replace("KEYS", "KEY"), GOOD.replace("ARGV, 1, 2", "ARGV")])
def test_a_script_without_its_signature_is_named(source: str) -> None:
    with pytest.raises(ValueError, match=r"^mine\.lua must begin with"):
        Script.parse("mine", source)


def test_a_script_that_miscounts_is_named() -> None:
    with pytest.raises(ValueError, match=r"^mine\.lua names 2 arguments and unpacks 3"):
        Script.parse("mine", GOOD.replace("1, 2", "1, 3"))


def test_includes_are_put_in_place_once_also_through_others() -> None:
    text = expand("--@include fence\n--@include tombstone\n--@include fence\nreturn 1\n")
    assert text.count("local function fence(") == text.count("local function tombstone(") == 1
    assert text.index("local function tombstone(") < text.index("local function fence("), "what fence needs comes first"
    assert "--@include" not in text


def test_an_include_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.lua"):
        expand("--@include nothing\n")
