"""Dead letters: find, explain, redrive, purge, export and import them; and undo that."""

from postroom.monitor.dead.canary import Canary, Stopped
from postroom.monitor.dead.desk import DeadLetters
from postroom.monitor.dead.files import FORMAT
from postroom.monitor.dead.filters import Filter
from postroom.monitor.dead.letters import DeadLetter, Group, Summary, merge
from postroom.monitor.dead.moves import Action, Moved

__all__ = [
    "DeadLetters",
    "Filter",
    "Summary",
    "Group",
    "merge",
    "DeadLetter",
    "Action",
    "Moved",
    "Canary",
    "Stopped",
    "FORMAT",
]
