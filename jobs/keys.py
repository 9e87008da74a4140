"""Every key in Redis, one function per key.

The first half is RQ 3.0's (`rq.defaults.RQ_KEY_PREFIX`), so that RQ's tools read what we write. The second half is our
own, under `postroom:`, in the same hash slot where the prefix carries a hash tag.
"""

import os
import re
from dataclasses import dataclass

from postroom.jobs.errors import ConfigError

JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")  # RQ's own rule (rq.job.JOB_ID_PATTERN), with an end
_PREFIX = re.compile(r"[A-Za-z0-9_.:{}-]+")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one RQ namespace. `prefix` is RQ's: `RQ_KEY_PREFIX`, else `rq`."""

    prefix: str = "rq"

    @classmethod
    def from_env(cls) -> "Keys":
        """The namespace that RQ's own tools would use in this environment.

        Raises:
            ConfigError: the prefix has a character that RQ refuses.
        """
        prefix = os.environ.get("RQ_KEY_PREFIX", "rq")
        if not _PREFIX.fullmatch(prefix):
            raise ConfigError(f"RQ_KEY_PREFIX={prefix!r}: only letters, digits and _ . : - {{ }} are allowed")
        return cls(prefix)

    # RQ's keys -----------------------------------------------------------------------------------------------------

    def queues(self) -> str:
        """SET of the queue keys that exist."""
        return f"{self.prefix}:queues"

    def queue(self, name: str) -> str:
        """LIST of the job ids that may be claimed, head first."""
        return f"{self.prefix}:queue:{name}"

    def job(self, job_id: str) -> str:
        """HASH of one job."""
        return f"{self.prefix}:job:{job_id}"

    def dependencies(self, job_id: str) -> str:
        """SET of the ids of the jobs that a deferred one waits for."""
        return f"{self.prefix}:job::{job_id}:dependencies"

    def results(self, job_id: str) -> str:
        """STREAM of an RQ job's results."""
        return f"{self.prefix}:results:{job_id}"

    def wip(self, name: str) -> str:
        """ZSET of `<job>:<token>` of the queue's running jobs."""
        return f"{self.prefix}:wip:{name}"

    def finished(self, name: str) -> str:
        """ZSET of finished job ids by expiry (seconds since the epoch)."""
        return f"{self.prefix}:finished:{name}"

    def failed(self, name: str) -> str:
        """ZSET of dead letters by expiry (seconds since the epoch)."""
        return f"{self.prefix}:failed:{name}"

    def scheduled(self, name: str) -> str:
        """ZSET of waiting job ids by due time (seconds since the epoch)."""
        return f"{self.prefix}:scheduled:{name}"

    def deferred(self, name: str) -> str:
        """ZSET of job ids that wait for other jobs."""
        return f"{self.prefix}:deferred:{name}"

    def canceled(self, name: str) -> str:
        """ZSET of canceled job ids by the time of their cancellation (seconds since the epoch)."""
        return f"{self.prefix}:canceled:{name}"

    def worker(self, process: str) -> str:
        """HASH of one worker process, as RQ's readers look for it."""
        return f"{self.prefix}:worker:{process}"

    def workers(self) -> str:
        """SET of the keys of all workers."""
        return f"{self.prefix}:workers"

    def workers_of(self, queue: str) -> str:
        """SET of the keys of the workers that take a queue."""
        return f"{self.prefix}:workers:{queue}"

    # Our own -------------------------------------------------------------------------------------------------------

    def own(self) -> str:
        """What all our own keys begin with."""
        return "postroom:" if self.prefix == "rq" else f"postroom:{self.prefix}:"

    def token(self) -> str:
        """STRING: the last fencing token given out."""
        return f"{self.own()}token"

    def leases(self) -> str:
        """ZSET of worker processes by the end of their lease (seconds since the epoch)."""
        return f"{self.own()}leases"

    def held(self, process: str) -> str:
        """HASH `<job>:<token>` → queue: what a worker process holds."""
        return f"{self.own()}held:{process}"

    def declined(self, name: str) -> str:
        """ZSET of the job ids that no live worker of a queue could run, by when they were declined (seconds since the
        epoch).
        """
        return f"{self.own()}declined:{name}"

    def expired(self, name: str) -> str:
        """ZSET of the ids of a queue's expired jobs, by when that was noticed (seconds since the epoch). They stand
        among the canceled ones, too.
        """
        return f"{self.own()}expired:{name}"

    def children(self, job_id: str) -> str:
        """SET of the ids of jobs that a job has enqueued and that have not ended."""
        return f"{self.own()}children:{job_id}"

    def doomed(self) -> str:
        """SET of ids of canceled jobs whose children are to be canceled."""
        return f"{self.own()}doomed"

    def log(self, job_id: str) -> str:
        """Pub/sub channel on which a job's log is said to have grown."""
        return f"{self.own()}log:{job_id}"

    def came(self, name: str) -> str:
        """STRING: when a worker came to a queue whose code is new there (seconds since the epoch)."""
        return f"{self.own()}came:{name}"

    def tasks(self, digest: str) -> str:
        """SET of the names of the tasks that workers of the same code know, and `<name> <version>` of messages."""
        return f"{self.own()}tasks:{digest}"

    def gone(self, job_id: str) -> str:
        """STRING: tombstone of a job whose hash was deleted, until every client's retries are over."""
        return f"{self.own()}gone:{job_id}"

    def foreign(self, job_id: str) -> str:
        """Whatever stood where a job's hash belongs, put aside."""
        return f"{self.own()}foreign:{job_id}"

    def refused(self) -> str:
        """LIST of what stood on a queue's list and cannot be a job's id."""
        return f"{self.own()}refused"

    def swept(self) -> str:
        """STRING: when leases were last looked at (seconds since the epoch)."""
        return f"{self.own()}swept"

    def paused(self) -> str:
        """SET of the names of paused queues."""
        return f"{self.own()}paused"

    def schemas(self) -> str:
        """HASH: fingerprint → a schema that data was written with."""
        return f"{self.own()}schemas"

    def dead(self) -> str:
        """STREAM of the newest burials: `queue`, `task`, and `jobs`, a JSON list of ids."""
        return f"{self.own()}dead"

    def hooks(self) -> str:
        """HASH of each hook of the dead letters: the last entry of `dead` that it was told."""
        return f"{self.own()}hooks"

    def alerts(self) -> str:
        """HASH of each alert rule: its state, as JSON."""
        return f"{self.own()}alerts"

    def notices(self) -> str:
        """HASH of the notices of alerts that are to be delivered, as JSON."""
        return f"{self.own()}notices"

    def schedule(self, name: str) -> str:
        """HASH of one schedule: its definition, who declares it, its last tick."""
        return f"{self.own()}schedule:{name}"

    def ticks(self) -> str:
        """ZSET of the names of all schedules by the tick that each waits for (seconds since the epoch)."""
        return f"{self.own()}ticks"

    def line(self, key: str) -> str:
        """ZSET of the ids of a key's jobs that have not ended, in order of enqueue. The first holds the key."""
        return f"{self.own()}key:{key}"

    def busy(self) -> str:
        """ZSET of the keys that have a line, by the time when a duty last looked at it (seconds since the epoch)."""
        return f"{self.own()}keys"

    def limits(self) -> str:
        """HASH of the limits' rules by name: concurrency (0: any number), seconds between two jobs (0: none), burst."""
        return f"{self.own()}limits"

    def limits_busy(self) -> str:
        """ZSET of the limits that somebody has a place in or waits for, by when the duty has looked at them."""
        return f"{self.own()}limits:busy"

    def permits(self) -> str:
        """ZSET of the limits that jobs wait for, by when their rate lets the next one begin."""
        return f"{self.own()}limits:due"

    def limit(self, limit: str) -> str:
        """ZSET of the ids of the jobs that have a place in a limit, by when they got it."""
        return f"{self.own()}limit:{limit}"

    def rate(self, limit: str) -> str:
        """STRING: until when a limit's rate is used up (seconds since the epoch); absent where no job began lately."""
        return f"{self.own()}rate:{limit}"

    def limited(self, limit: str) -> str:
        """ZSET of the ids of the jobs that wait for a place in a limit, by when they came."""
        return f"{self.own()}limited:{limit}"

    def unique(self) -> str:
        """HASH of locks: the id of the job that took it last. It holds while that job's own hash says so."""
        return f"{self.own()}unique"

    def turn(self, what: str) -> str:
        """STRING: somebody does this now, so that others need not."""
        return f"{self.own()}turn:{what}"

    def control(self, process: str) -> str:
        """Pub/sub channel of one worker process: ids of jobs that were canceled while it runs them."""
        return f"{self.own()}control:{process}"

    def events(self) -> str:
        """Pub/sub channel of transitions."""
        return f"{self.own()}events"

    def record(self) -> str:
        """STREAM of the newest events, while it is kept: `event`, `queue`, `ids`, `worker`."""
        return f"{self.own()}record"

    def recording(self) -> str:
        """STRING: the record is kept; since when, as the id of an entry would say it."""
        return f"{self.own()}recording"

    def undo(self) -> str:
        """STRING: the last bulk action on dead letters, as JSON, while it can be undone."""
        return f"{self.own()}undo"

    def undo_record(self, action: str, queue: str) -> str:
        """ZSET of the dead letters of a queue that an action moved, as they stood in the registry."""
        return f"{self.own()}undo:{action}:{queue}"

    def replaced(self, action: str, job_id: str) -> str:
        """HASH of a dead letter that an import replaced, while that can be undone."""
        return f"{self.own()}replaced:{action}:{job_id}"
