"""The mutation run: every `redis.call` of every script, taken out, must turn a row of the tables red.

A mutant is a script in which one call is replaced by `taken_out`, which does nothing and answers as the server would if
the key were not there: so the Lua around it goes on, and what is tested is the call, not the shape of its reply. A call
of a `lib/` file is taken out of all scripts that include it. Run by `make lua`.
"""

import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])

from postroom.jobs.scripts import SCRIPTS, Script
from tests.lua.rows import ROWS
from tests.lua.table import Row, Table
from tests.servers import Server

TAKEN_OUT = """
local function taken_out(command)
  local lists = {HMGET = 1, HKEYS = 1, HRANDFIELD = 1, LRANGE = 1, SMEMBERS = 1, ZRANGE = 1,
    ZRANGEBYSCORE = 1, ZREVRANGE = 1, ZMSCORE = 1}
  local nils = {GET = 1, HGET = 1, LPOS = 1, ZSCORE = 1}
  if lists[command] then return {} end
  if nils[command] then return false end
  if command == 'TIME' then return {0, 0} end
  return 0
end
"""
_CALL = re.compile(r"redis\.p?call(?=\()")
_INCLUDE = re.compile(r"^--@include (\w+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One call taken out of one file: the file's new text."""

    path: str
    line: int
    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: without {self.code}"


def sources() -> dict[str, str]:
    """The text of every file of jobs/lua, by its path there."""
    folder = files("postroom.jobs.lua")
    return {
        f"{prefix}{path.name}": path.read_text()
        for prefix, found in (("", folder), ("lib/", folder / "lib"))
        for path in sorted(found.iterdir(), key=lambda path: path.name)
        if path.name.endswith(".lua")
    }


def mutants(texts: Mapping[str, str]) -> Iterator[Mutant]:
    """One for each call of each file."""
    for path, text in texts.items():
        for call in _CALL.finditer(text):
            line = text.count("\n", 0, call.start()) + 1
            code = text[call.start() : text.index("\n", call.start())]
            yield Mutant(path, line, code, f"{text[: call.start()]}taken_out{text[call.end() :]}")


def assemble(name: str, texts: Mapping[str, str]) -> str:
    """The whole script, its includes in place, each once."""
    seen: set[str] = set()

    def included(match: re.Match[str]) -> str:
        if match[1] in seen:
            return ""
        seen.add(match[1])
        return _INCLUDE.sub(included, texts[f"lib/{match[1]}.lua"])

    return _INCLUDE.sub(included, texts[f"{name}.lua"])


def mutated(mutant: Mutant, texts: Mapping[str, str], taken_out: str = TAKEN_OUT) -> dict[str, Script]:
    """The scripts that the mutant is part of, with what `taken_out` does."""
    changed = {**texts, mutant.path: mutant.text}
    found = {}
    for name in SCRIPTS:
        source = assemble(name, changed)
        if source != SCRIPTS[name].source:
            # The first line may be a shebang, and so must stay the first.
            first, rest = source.split("\n", 1)
            found[name] = Script.parse(name, f"{first}{taken_out}{rest}")
    return found


def survives(scripts: Mapping[str, Script], rows: Sequence[Row], table: Table) -> bool:
    """Is every row green with these scripts in place of the real ones?"""
    real = dict(SCRIPTS)
    SCRIPTS.update(scripts)
    try:
        for row in rows:
            if row.when.script in scripts:
                table.check(row)
    except AssertionError:
        return False
    finally:
        SCRIPTS.update(real)
    return True


def run(table: Table) -> tuple[int, list[Mutant]]:
    """How many mutants there were, and the survivors."""
    texts = sources()
    assert all(assemble(name, texts) == script.source for name, script in SCRIPTS.items())
    made = list(mutants(texts))
    return len(made), [mutant for mutant in made if survives(mutated(mutant, texts), ROWS, table)]


def main() -> int:
    """Run, and say who survived."""
    began = time.monotonic()
    with Server() as server:
        table = Table(server)
        if not survives(SCRIPTS, ROWS, table):
            print("The tables are red as they are: mutants would tell nothing.")
            return 1
        count, survivors = run(table)
        table.close()
    for mutant in survivors:
        print(mutant)
    print(f"{count} mutants, {len(survivors)} survived, {len(ROWS)} rows, {time.monotonic() - began:.1f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
