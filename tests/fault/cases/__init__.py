"""The cases, by name. Each takes a Ground and yields verdicts, one for each thing that it broke."""

from collections.abc import Callable, Iterator

from tests.fault.cases.controls import controls
from tests.fault.cases.cron import cron
from tests.fault.cases.deadlines import deadlines
from tests.fault.cases.deploys import deploy, slow_first
from tests.fault.cases.fuzz import fuzz
from tests.fault.cases.keys import keys
from tests.fault.cases.limits import limits
from tests.fault.cases.lines import lines
from tests.fault.cases.model import model
from tests.fault.cases.neighbours import clocks, half_open, versions
from tests.fault.cases.points import points
from tests.fault.cases.poison import poison
from tests.fault.cases.replies import replies
from tests.fault.cases.server import flush, maxmemory, pause, restart
from tests.fault.cases.stops import child_stopped, group_stopped, pool_stopped
from tests.fault.cases.storm import host_lost, pool_killed, storm
from tests.fault.cases.unique import unique
from tests.fault.cases.upgrade import upgrade
from tests.fault.ground import Ground
from tests.fault.verdict import Verdict

Case = Callable[[Ground], Iterator[Verdict]]

_CASES: tuple[Case, ...] = (
    *(points, lines, replies),
    *(storm, pool_killed, host_lost, child_stopped, pool_stopped, group_stopped),
    *(deploy, slow_first, upgrade, poison, cron, keys, unique, deadlines, limits),
    *(restart, pause, maxmemory, flush, versions, clocks, half_open),
    *(fuzz, model, controls),
)
ALL: dict[str, Case] = {case.__name__: case for case in _CASES}
