"""Postroom: hand a job over the counter and walk away."""

from postroom.jobs.app import Postroom
from postroom.jobs.context import current_job
from postroom.jobs.errors import (
    ConfigError,
    DuplicateJob,
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
from postroom.jobs.retry import Retry

__all__ = [
    "Postroom",
    "Job",
    "Retry",
    "current_job",
    "PostroomError",
    "ConfigError",
    "DuplicateJob",
    "JobCanceled",
    "JobFailed",
    "JobTimeout",
    "Rejected",
    "ResultExpired",
    "ResultTimeout",
    "Unavailable",
]
