"""No event without its transition, nor a transition without its event: all rows of all tables, with the record kept."""

import json
from dataclasses import replace
from typing import Any

from postroom.jobs.record import OTHERS
from postroom.jobs.scripts import SCRIPTS
from tests.lua.rows import ROWS
from tests.lua.table import Table, event
from tests.lua.test_record import ON

UNPUBLISHED = {"enqueued", "scheduled", "deferred", "started", "progress", "released", *OTHERS}
"""Of which nobody who waits for results need hear."""


def test_every_published_event_is_recorded_and_no_other_of_a_job(table: Table) -> None:
    """All rows of all tables once more, with the record kept: what they publish is what it says, on replays, too."""
    told = 0
    for row in ROWS:
        published = [*row.then.events, *row.again.events]
        if "postroom:record" in row.given:
            continue
        _, space = table.left_by(replace(row, given={**row.given, **ON}), *[SCRIPTS[row.when.script]] * 2)
        entries = [one for one in space.get("postroom:record", ()) if one["event"] not in UNPUBLISHED]
        found = [event(one["event"], *one["ids"].split(), queue=one["queue"]) for one in entries]
        assert (row.name, _sorted(found)) == (row.name, _sorted(published))
        told += len(found)
    assert told > 50


def _sorted(events: Any) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in events)
