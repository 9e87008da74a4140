"""The Lua scripts: one `.lua` file per transition, read with its signature.

A script's first code lines name its KEYS and the ARGV before its jobs; callers bind by these names, so that a script
and its callers cannot drift apart. `--@include name` puts `lib/name.lua` in place, once.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

_INCLUDE = re.compile(r"^--@include (\w+)$", re.MULTILINE)
_KEYS = re.compile(r"^local (.+) = unpack\(KEYS\)$", re.MULTILINE)
_ARGS = re.compile(r"^local (.+) = unpack\(ARGV, 1, (\d+)\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """One script: its text, its address and its signature."""

    name: str
    source: str
    sha: str
    keys: tuple[str, ...]
    args: tuple[str, ...]

    @classmethod
    def parse(cls, name: str, source: str) -> "Script":
        """Read the signature from the first lines of `source`, whose includes are in place.

        Raises:
            ValueError: the first lines do not name KEYS and ARGV in the house's form.
        """
        keys, args = _KEYS.search(source), _ARGS.search(source)
        if keys is None or args is None:
            raise ValueError(f"{name}.lua must begin with `local … = unpack(KEYS)` and `local … = unpack(ARGV, 1, n)`")
        arg_names = tuple(args[1].split(", "))
        if len(arg_names) != int(args[2]):
            raise ValueError(f"{name}.lua names {len(arg_names)} arguments and unpacks {args[2]}")
        sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        return cls(name, source, sha, tuple(keys[1].split(", ")), arg_names)

    def command(self, keys: Mapping[str, str], args: Mapping[str, Any], jobs: Sequence[Any] = ()) -> list[Any]:
        """The EVALSHA command. `keys` and `args` by the script's names, `jobs` as its header says.

        Raises:
            KeyError: a name of the signature is not given.
        """
        return [
            "EVALSHA",
            self.sha,
            len(self.keys),
            *[keys[name] for name in self.keys],
            *[args[name] for name in self.args],
            *jobs,
        ]


def expand(source: str, included: set[str] | None = None) -> str:
    """`source` with every `--@include` replaced by its file, each once."""
    seen = set() if included is None else included

    def text(match: re.Match[str]) -> str:
        if match[1] in seen:
            return ""
        seen.add(match[1])
        return expand((files("postroom.jobs.lua.lib") / f"{match[1]}.lua").read_text(), seen)

    return _INCLUDE.sub(text, source)


def load(name: str) -> Script:
    """The script `name`.lua, ready to call."""
    return Script.parse(name, expand((files("postroom.jobs.lua") / f"{name}.lua").read_text()))


SCRIPTS: dict[str, Script] = {
    path.name.removesuffix(".lua"): load(path.name.removesuffix(".lua"))
    for path in sorted(files("postroom.jobs.lua").iterdir(), key=lambda path: path.name)
    if path.name.endswith(".lua")
}
