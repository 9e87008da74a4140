"""The case `lines` can turn red: it finds an order of steps that a failure breaks, and a `pcall` that nothing tests."""

from collections.abc import Iterator

import pytest

from tests.fault.cases.lines import differences
from tests.fault.verdict import Verdict
from tests.lua.mutate import mutants, sources
from tests.lua.table import Table
from tests.servers import Server

HOLDS = "  redis.call('HSET', held,"
REFUSES = "  redis.call('SADD', rq .. 'queues', queue)\n"


@pytest.fixture(scope="module")
def table(server: Server) -> Iterator[Table]:
    """Each row empties the server."""
    made = Table(server)
    yield made
    made.close()


def judged(table: Table, claim: str) -> tuple[set[tuple[str, str]], Verdict]:
    """What the case finds in the calls of this claim.lua."""
    texts, verdict = {**sources(), "claim.lua": claim}, Verdict("lines")
    calls = [mutant for mutant in mutants(texts) if mutant.path == "claim.lua"]
    return set(differences(table, texts, calls, verdict)), verdict


def test_claim_as_it_is(table: Table) -> None:
    """Green, and not because nothing was judged: each of its keys can refuse once, but what was asked before cannot."""
    found, verdict = judged(table, sources()["claim.lua"])
    assert (found, verdict.red) == (set(), [])
    assert 0 < verdict.earnest < verdict.fired == verdict.exist


def test_holding_before_what_may_refuse(table: Table) -> None:
    """A replay would answer with jobs that were never taken."""
    text = sources()["claim.lua"]
    held = next(line for line in text.splitlines(keepends=True) if line.startswith(HOLDS))
    found, _ = judged(table, text.replace(held, "").replace(REFUSES, f"{held}{REFUSES}"))
    assert {("claim", "rq:job"), ("claim", "rq:wip")} <= found


def test_a_pcall_that_no_row_fails(table: Table) -> None:
    """What its script does then is tested by nobody."""
    asks = "redis.call('INCR', last_token"
    _, verdict = judged(table, sources()["claim.lua"].replace(asks, asks.replace("call", "pcall")))
    assert [line.endswith("did not fire") for line in verdict.red] == [True]
