"""The README's fault table: each case has its row."""

from tests.fault.cases import ALL
from tests.fault.report import KIND_HEAD, KINDS, kinds
from tests.fault.verdict import Verdict


def test_every_case_is_of_a_kind() -> None:
    names = {name.replace("_", " ") for name in ALL} - {"half open", "controls"}
    said = kinds([Verdict(name, acked=1) for name in (*names, "half_open", "control RQ zombie", "control pause")])
    assert said.removeprefix(KIND_HEAD).count("\n") == len(KINDS)


def test_the_longest_beginning_says_which() -> None:
    found = kinds([Verdict("keys", acked=1), Verdict("keys: control without lock", acked=2, lost=3, red=["x"])])
    assert "| kill -9 among jobs that have keys | 1 | 0 | 0 | 0 |  |" in found
    assert "| *control:* ours with a check taken out **RED** | 2 | 3 | 0 | 0 |  |" in found
