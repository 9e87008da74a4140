"""Dead letters: find, explain, redrive, purge, export and import them; and undo that."""

from postroom.jobs.dead.canary import Canary, Stopped
from postroom.jobs.dead.desk import DeadLetters
from postroom.jobs.dead.files import FORMAT
from postroom.jobs.dead.filters import Filter
from postroom.jobs.dead.letters import DeadLetter, Group, Summary, merge
from postroom.jobs.dead.moves import Action, Moved

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
