"""Postroom: hand a job over the counter and walk away."""

from functools import partial

from postroom.embedded import ensure_running
from postroom.integrations import activate, activate_tracing
from postroom.jobs.app import Postroom
from postroom.jobs.broker import SCHEMES
from postroom.jobs.burial import Burial
from postroom.jobs.context import correlation, current_job
from postroom.jobs.contracts import downcast, message, upcast
from postroom.jobs.declarations import after_load, after_make
from postroom.jobs.errors import (
    ConfigError,
    DuplicateJob,
    EncodeError,
    InvalidMessage,
    JobCanceled,
    JobExpired,
    JobFailed,
    JobTimeout,
    ParentCanceled,
    PostroomError,
    Rejected,
    ResultExpired,
    ResultTimeout,
    Unavailable,
)
from postroom.jobs.evolve import evolve
from postroom.jobs.job import Job
from postroom.jobs.kit import KITS
from postroom.jobs.limits import Limit
from postroom.jobs.naming import import_module
from postroom.jobs.progress import Progress
from postroom.jobs.record import Event
from postroom.jobs.retry import Discard, Retry, RetryLater, Snooze
from postroom.jobs.secrets import Secret

SCHEMES["embedded"] = ensure_running
after_load.append(activate)
after_make.append(activate_tracing)
# Imported where they are asked for: they run jobs, and a producer's process stays small.
for mode in ("inline", "server"):
    KITS[mode] = partial(lambda mode, *given: import_module(f"postroom.testing.{mode}").open_kit(*given), mode)

__all__ = [
    "Postroom",
    "Job",
    "Burial",
    "Event",
    "Progress",
    "Limit",
    "Retry",
    "RetryLater",
    "Discard",
    "Snooze",
    "Secret",
    "current_job",
    "correlation",
    "message",
    "downcast",
    "evolve",
    "upcast",
    "PostroomError",
    "ConfigError",
    "DuplicateJob",
    "EncodeError",
    "InvalidMessage",
    "JobCanceled",
    "JobExpired",
    "JobFailed",
    "JobTimeout",
    "ParentCanceled",
    "Rejected",
    "ResultExpired",
    "ResultTimeout",
    "Unavailable",
]
