"""Known cases of schema evolution: what Avro and Confluent say, what we say, and why where that is not the same.

Avro's verdict is asked from Apache avro's own checker, whose rules are those of the specification
(https://avro.apache.org/docs/1.12.0/specification/#schema-resolution). Confluent's is that of its published rules for
JSON Schema (https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/serdes-json.html),
by the names that its registry gives them.

A verdict is a pair: do new readers read old messages (backward), do old readers read new ones (forward)?
"""

import json
from typing import Any

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from postroom.contracts.breaks import Whom
from postroom.contracts.compare import compare
from postroom.contracts.schema import normal
from tests.unit.contract_cases import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_our_verdict(case: Case) -> None:
    old, new = normal(case.old), normal(case.new)
    assert (not compare(old, new, Whom.NEW), not compare(new, old, Whom.OLD)) == case.ours


@pytest.mark.parametrize("case", [case for case in CASES if case.avro], ids=lambda case: case.name)
def test_avros_verdict_is_what_we_say_it_is(case: Case) -> None:
    assert case.avro
    old, new = (parse(json.dumps(schema)) for schema in case.avro)

    def reads(reader: Any, writer: Any) -> bool:
        found = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)  # type: ignore[no-untyped-call]
        return found.compatibility is SchemaCompatibilityType.compatible

    assert (reads(new, old), reads(old, new)) == case.theirs


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_verdict_that_is_not_theirs_has_its_reason(case: Case) -> None:
    assert bool(case.why) == (case.ours != case.theirs)
