"""Every `redis.call` of every script has a row that misses it."""

from postroom.jobs.scripts import SCRIPTS
from tests.lua import mutate
from tests.lua.rows import ROWS
from tests.lua.table import Table


def test_every_script_has_a_table() -> None:
    """A new script has rows before it has callers."""
    assert {row.when.script for row in ROWS} == set(SCRIPTS)


def test_no_mutant_survives(table: Table) -> None:
    """The whole mutation run, as `make lua` prints it."""
    count, survivors = mutate.run(table)
    assert [str(mutant) for mutant in survivors] == []
    assert count > 100


def test_a_weak_table_lets_mutants_live(table: Table) -> None:
    """Without the rows of promote and offer, what both do is tested by nobody: the run would say so."""
    texts = mutate.sources()
    rows = [row for row in ROWS if row.when.script not in {"promote", "offer"}]
    due = [mutant for mutant in mutate.mutants(texts) if mutant.path == "lib/due.lua"]
    assert len(due) == 5
    assert all(mutate.survives(mutate.mutated(mutant, texts), rows, table) for mutant in due)
