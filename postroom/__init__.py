"""Postroom: hand a job over the counter and walk away."""

from postroom.embedded import ensure_running
from postroom.jobs.app import Postroom
from postroom.jobs.broker import SCHEMES
from postroom.jobs.context import current_job
from postroom.jobs.errors import (
    ConfigError,
    DuplicateJob,
    EncodeError,
    JobCanceled,
    JobFailed,
    JobTimeout,
    PostroomError,
    Rejected,
    ResultExpired,
    ResultTimeout,
    Unavailable,
)
from postroom.jobs.job import Job
from postroom.jobs.retry import Discard, Retry, RetryLater, Snooze

SCHEMES["embedded"] = ensure_running

__all__ = [
    "Postroom",
    "Job",
    "Retry",
    "RetryLater",
    "Discard",
    "Snooze",
    "current_job",
    "PostroomError",
    "ConfigError",
    "DuplicateJob",
    "EncodeError",
    "JobCanceled",
    "JobFailed",
    "JobTimeout",
    "Rejected",
    "ResultExpired",
    "ResultTimeout",
    "Unavailable",
]
