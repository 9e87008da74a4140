"""Our scripts with a check taken out, for the controls.

Any process may settle any claim, or set any tick; every job of a key is the first of its line; what is late begins.
"""

import os
import re

from postroom.jobs.scripts import SCRIPTS, Script
from postroom.workers.ready import Ready

UNFENCED = "FAULT_UNFENCED"
"""The variable that asks for it: `1`, or the names of the scripts that it is taken out of, with commas."""
UNSWAPPED, IDLE, DAWDLES = "FAULT_UNSWAPPED", "FAULT_IDLE", "FAULT_DAWDLES"
"""Variables of the case `cron`: `tick` sets the next tick, whoever set it meanwhile; this process does not tick,
or only after a pause.
"""
UNLOCKED = "FAULT_UNLOCKED"
"""The variable of the case `keys`: nobody waits for a key."""
UNHELD = "FAULT_UNHELD"
"""The variable of the case `unique`: nobody holds a lock."""
UNLIMITED = "FAULT_UNLIMITED"
"""The variable of the case `limits`: nobody waits for a place."""
UNBOUNDED = "FAULT_UNBOUNDED"
"""The variable of the case `deadlines`: nobody looks at a deadline before a job begins."""
_GUARDS = re.compile(r"^if .* then return '(ALREADY|STALE)' end$", re.MULTILINE)
_FIRST = re.compile(r"^local function is_first\(.*?^end$", re.MULTILINE | re.DOTALL)
_HOLDER = re.compile(r"^local function holder_of\(.*?^end$", re.MULTILINE | re.DOTALL)
_LIMITED = re.compile(r"^local function is_limited\(.*?^end$", re.MULTILINE | re.DOTALL)
_OVERDUE = re.compile(r"^local function is_overdue\(.*?^end$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^local function fence\(.*?^end$", re.MULTILINE | re.DOTALL)


def unfence(*names: str) -> None:
    """Take the check out of these scripts of this process, or of all that have one."""
    for name, script in SCRIPTS.items():
        if name in names or not names:
            source = _FENCE.sub("local function fence() return 'OK' end", script.source)
            SCRIPTS[name] = Script.parse(name, source)


def unfence_if_asked() -> None:
    """As the environment says."""
    asked = os.environ.get(UNFENCED, "")
    if asked:
        unfence(*(() if asked == "1" else asked.split(",")))


def unswap_if_asked() -> None:
    """Take the compare-and-set out of `tick`, as the environment says."""
    if os.environ.get(UNSWAPPED):
        source, taken_out = _GUARDS.subn("", SCRIPTS["tick"].source)
        assert taken_out == 2
        SCRIPTS["tick"] = Script.parse("tick", source)


def unlock_if_asked() -> None:
    """Take the lock of the keys, or that of unique jobs, out of `enqueue_keyed`, as the environment says."""
    without = {
        UNLOCKED: (_FIRST, "local function is_first() return true end"),
        UNHELD: (_HOLDER, "local function holder_of() return false end"),
    }
    for variable, (found, instead) in without.items():
        if os.environ.get(variable):
            source, taken_out = found.subn(instead, SCRIPTS["enqueue_keyed"].source)
            assert taken_out == 1
            SCRIPTS["enqueue_keyed"] = Script.parse("enqueue_keyed", source)


def unlimit_if_asked() -> None:
    """Take the look at the places of limits out of `claim`, as the environment says."""
    if os.environ.get(UNLIMITED):
        source, taken_out = _LIMITED.subn("local function is_limited() return false end", SCRIPTS["claim"].source)
        assert taken_out == 1
        SCRIPTS["claim"] = Script.parse("claim", source)


def unbound_if_asked() -> None:
    """Take the look at the deadline out of `claim` and out of the worker, as the environment says."""
    if os.environ.get(UNBOUNDED):
        source, taken_out = _OVERDUE.subn("local function is_overdue() return false end", SCRIPTS["claim"].source)
        assert taken_out == 1
        SCRIPTS["claim"] = Script.parse("claim", source)
        Ready.begin = lambda self: True  # type: ignore[method-assign]
