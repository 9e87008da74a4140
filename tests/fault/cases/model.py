"""The scripts against the model: Hypothesis makes up calls, replays and late words, and the clock is the test's own."""

import itertools
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.errors import DuplicateJob
from postroom.jobs.keys import Keys
from postroom.jobs.messages import Batch, Placement, batch_of_one
from postroom.jobs.options import Options
from postroom.jobs.scripts import SCRIPTS
from postroom.workers.claimed import read_claim
from tests.fault.cases.controls import control
from tests.fault.ground import Ground
from tests.fault.model import LEASE, Claim, Model, ModelJob
from tests.fault.scan import PLACE_OF, Scan, scan
from tests.fault.unfenced import unfence
from tests.fault.verdict import Verdict
from tests.servers import Server

QUEUES, PROCESSES = ("q0", "q1"), ("p0", "p1", "p2")
IDS = [f"j{i}" for i in range(5)]
"""Few, so that ids are used again, by rivals and after a deletion."""
_numbers = itertools.count()

queues, processes, ids = st.sampled_from(QUEUES), st.sampled_from(PROCESSES), st.sampled_from(IDS)
picks = st.integers(0, 30)
twice = st.booleans()
"""Send it again, as the broker does where the reply was lost."""


class Machine(RuleBasedStateMachine):
    """Says everything to both, and compares replies and the whole namespace."""

    url: ClassVar[str]
    acked: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.keys = Keys(f"m{next(_numbers)}")
        self.broker = Broker(self.url, self.keys, 5.0)
        self.client: Any = self.broker.client()
        self.model = Model(QUEUES)
        self.requests = {(process, queue): 1 for process in PROCESSES for queue in QUEUES}
        self.claims: list[Claim] = []
        self.sent: list[tuple[Batch, str, Placement]] = []

    # Producers and people ------------------------------------------------------------------------------------------

    @initialize(queue=queues, process=st.sampled_from(PROCESSES[:2]))
    def begin_with_work(self, queue: str, process: str) -> None:
        """Two jobs wait, and a process has claimed two others, so that few steps are needed to go wrong."""
        for one in PROCESSES[:2]:
            self.join(one, False)
        for job_id in IDS[:2]:
            self.enqueue(job_id, queue, "back", 1)
        self.claim(process, queue, 2, False)
        for job_id in IDS[2:4]:
            self.enqueue(job_id, queue, "back", 1)

    @rule(job_id=ids, queue=queues, where=st.sampled_from(["back", "front", "scheduled"]), delay=st.integers(1, 20))
    def enqueue(self, job_id: str, queue: str, where: str, delay: int) -> None:
        """A new job, or a rival of one that is there."""
        due = self.model.clock + delay if where == "scheduled" else ""
        options = Options(queue=queue, job_id=job_id, delay=delay if where == "scheduled" else None)
        self.sent.append((batch_of_one("work", (), {}, options, 10_000), queue, Placement(where, due)))
        self._enqueue(*self.sent[-1])

    @precondition(lambda self: self.sent)
    @rule(pick=picks)
    def enqueue_again(self, pick: int) -> None:
        """A producer sends a message again, however late."""
        self._enqueue(*self.sent[-1 - pick % len(self.sent)])

    def _enqueue(self, sent: Batch, queue: str, place: Placement) -> None:
        due = float(place.due) if place.where == "scheduled" else None
        job_id, nonce, _ = sent.jobs
        try:
            accepted = self.broker.run(calls.enqueue(self.keys, queue, sent, place)) == [job_id]
        except DuplicateJob:
            accepted = False
        Machine.acked += accepted
        assert accepted == self.model.enqueue(job_id, nonce, queue, place.where, due)

    @rule(job_id=ids, twice=twice)
    def cancel(self, job_id: str, twice: bool) -> None:
        """Whatever its status."""
        args = {"id": job_id, "children": "1", **self._now}
        call = calls.script("cancel", lambda reply: _text(reply[0]), self.keys, {"doomed": self.keys.doomed()}, args)
        for _ in range(1 + twice):
            assert self.broker.run(call) == self.model.cancel(job_id)

    @rule(job_id=ids, twice=twice)
    def delete(self, job_id: str, twice: bool) -> None:
        """Whatever its status."""
        for _ in range(1 + twice):
            assert self.broker.run(calls.delete(self.keys, job_id)) == self.model.delete(job_id)

    @rule(queue=queues)
    def pause_or_resume(self, queue: str) -> None:
        """The other of the two."""
        paused = queue in self.model.paused
        self.broker.run(calls.pause(self.keys, queue, "resumed" if paused else "paused"))
        self.model.paused ^= {queue}

    # Workers -------------------------------------------------------------------------------------------------------

    @rule(process=processes, twice=twice)
    def join(self, process: str, twice: bool) -> None:
        """Also of a process that was given up for dead, or has never gone."""
        known = {queue: self.requests[process, queue] - 1 for queue in QUEUES}
        for _ in range(1 + twice):
            self.broker.run(calls.join(self.keys, process, LEASE, known, self.model.clock))
            self.model.join(process, known)

    @rule(process=processes, queue=queues, limit=st.integers(1, 4), late=st.integers(1, 3))
    def claim_late(self, process: str, queue: str, limit: int, late: int) -> None:
        """A claim that was answered long ago, or given up, comes again: nobody gets what nobody waits for."""
        request = max(self.requests[process, queue] - late, 1)
        if request == self.requests[process, queue]:
            return
        waiting = len(self.model.lists[queue])
        reply = self.broker.run(calls.claim(self.keys, queue, process, request, limit, LEASE, self.model.clock))
        found = [reply[0].decode()] if reply in ([calls.PAUSED], [calls.GONE]) else _token_and_ids(reply)
        assert found == self.model.claim(process, queue, request, limit)
        assert len(self.model.lists[queue]) == waiting

    @rule(process=processes, queue=queues, limit=st.integers(1, 4), twice=twice)
    def claim(self, process: str, queue: str, limit: int, twice: bool) -> None:
        """Also by a process that was given up for dead."""
        request = self.requests[process, queue]
        call = calls.claim(self.keys, queue, process, request, limit, LEASE, self.model.clock)
        for _ in range(1 + twice):
            reply = self.broker.run(call)
            found = [reply[0].decode()] if reply in ([calls.PAUSED], [calls.GONE]) else _token_and_ids(reply)
            assert found == self.model.claim(process, queue, request, limit)
        if found in (["PAUSED"], ["GONE"]):
            return
        self.requests[process, queue] += len(found) > 1  # as the consumer does: otherwise the next one is a replay
        self.claims += [Claim(process, queue, job_id, found[0]) for job_id in found[1:]]

    @precondition(lambda self: self.claims)
    @rule(
        pick=picks,
        batch=st.booleans(),
        verb=st.sampled_from(["complete", "complete", "bury", "retry", "release"]),
        delay=st.sampled_from([0.0, 4.0]),
        front=st.booleans(),
        kept=st.booleans(),
        twice=twice,
    )
    def settle(self, pick: int, batch: bool, verb: str, twice: bool, **how: Any) -> None:
        """Any claim that was ever made: it may be settled already, or another's by now."""
        one = self.claims[-1 - pick % len(self.claims)]
        same = [c for c in self.claims if (c.process, c.queue, c.token) == (one.process, one.queue, one.token)]
        for _ in range(1 + twice):
            self._settle(verb, same if batch else [one], **how)

    def _settle(self, verb: str, claims: Sequence[Claim], **how: Any) -> None:
        process, queue = claims[0].process, claims[0].queue
        jobs: list[Any] = [arg for claim in claims for arg in self._outcome(verb, claim, **how)]
        call: calls.Call[list[str]] = calls.settle(
            verb, self.keys, queue, process, jobs, keep=1000, trim_before="", **self._now
        )
        before = [self.model.jobs.get(claim.job_id) for claim in claims]
        replies = self.broker.run(call)
        for job, reply in zip(before, replies, strict=True):
            if verb == "complete" and reply == "OK" and job is not None:
                job.completed += 1
                assert job.completed == 1, "completed twice"
        assert replies == self.model.settle(verb, claims, **how)

    def _outcome(self, verb: str, claim: Claim, *, delay: float, front: bool, kept: bool) -> list[Any]:
        head, at = [claim.job_id, claim.token], "1970-01-01T00:16:40.000000Z"
        attempt = self.model.jobs[claim.job_id].attempt + 1 if claim.job_id in self.model.jobs else 1
        return {
            "complete": [*head, "{}", at, at, 500 if kept else 0, ""],
            "bury": [*head, 500, "", "", 4, "p:reason", "as told", "p:attempt", attempt],
            "retry": [*head, delay, "front" if front else "back", "", 2, "p:attempt", attempt],
            "release": head,
        }[verb]

    @rule(process=processes, twice=twice)
    def renew(self, process: str, twice: bool) -> None:
        """Also too late."""
        args = {"process": process, "lease": LEASE, **self._now}
        call = calls.script("renew", bool, self.keys, {"leases": self.keys.leases()}, args)
        for _ in range(1 + twice):
            assert self.broker.run(call) == self.model.renew(process)

    # Time and duties -----------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.5, 2.0, 4.0, LEASE + 1]))
    def advance_the_clock(self, seconds: float) -> None:
        """Nothing else happens."""
        self.model.clock += seconds

    @rule(twice=twice)
    def expire(self, twice: bool) -> None:
        """Sweep, and recover what was found."""
        keys = {"leases": self.keys.leases(), "swept": self.keys.swept()}
        call = calls.script("sweep", _texts, self.keys, keys, {"lease": LEASE, **self._now})
        for _ in range(1 + twice):
            names = self.broker.run(call)
            found = set(names)
            assert found == self.model.sweep()
            for process in sorted(found):
                self._recover(process, resigned=False, charged=[])

    @rule(process=processes, resigned=st.booleans(), charge=st.booleans(), twice=twice)
    def recover(self, process: str, resigned: bool, charge: bool, twice: bool) -> None:
        """A pool saw it die, or a duty believes so."""
        held = [member for member in self.model.held.get(process, {}) if not member.startswith("@")]
        for _ in range(1 + twice):
            self._recover(process, resigned=resigned, charged=held[:1] if charge and resigned else [])

    def _recover(self, process: str, *, resigned: bool, charged: Sequence[str]) -> None:
        keys = {"held": self.keys.held(process), "leases": self.keys.leases()}
        args = {"process": process, **self._now}
        args |= {"now": "inf"} if resigned else {}
        told = [part for member in charged for part in (member, "as told")]
        call = calls.script("recover", _texts, self.keys, keys, args, told)
        assert self.broker.run(call) == self.model.recover(process, resigned=resigned, charged=charged)

    @rule(queue=queues, twice=twice)
    def promote(self, queue: str, twice: bool) -> None:
        """What is due goes on."""
        keys = {"scheduled": self.keys.scheduled(queue), "queue": self.keys.queue(queue)}
        call = calls.script("promote", int, self.keys, keys, {"limit": 100, **self._now})
        for _ in range(1 + twice):
            assert self.broker.run(call) == self.model.promote(queue)

    # What must hold ------------------------------------------------------------------------------------------------

    @invariant()
    def the_server_holds_what_the_model_holds(self) -> None:
        """Every key; and each job in its place."""
        keys, model = self.keys, self.model
        found = scan(self.client, keys.prefix)
        assert not found.strange
        assert {job_id: _stored(fields) for job_id, fields in found.hashes.items()} == {
            job_id: _expected(job) for job_id, job in model.jobs.items()
        }
        for queue in QUEUES:
            assert _texts(self.client.lrange(keys.queue(queue), 0, -1)) == model.lists[queue]
            assert set(_texts(self.client.zrange(keys.wip(queue), 0, -1))) == model.wip[queue]
        for process in PROCESSES:
            held = self.client.hgetall(keys.held(process)).items()
            assert {name.decode(): value.decode() for name, value in held} == model.held.get(process, {})
        leases = self.client.zrange(keys.leases(), 0, -1, withscores=True)
        assert {name.decode(): end for name, end in leases} == model.leases
        assert found.gone == set(model.gone)
        assert int(self.client.get(keys.token()) or 0) == model.token
        self._look_at_places(found)

    def _look_at_places(self, found: Scan) -> None:
        """Each job stands in the one place of its status; besides, an id may be left over on a list, or in the hands of
        whoever ran a job that was canceled or deleted: claim and settle drop it there.
        """
        for job_id, fields in found.hashes.items():
            place, stands = PLACE_OF[fields["status"]], found.places[job_id]
            assert set(stands) - ({"queue", "wip"} - {place}) == {place}
            assert place in {"queue", "wip"} or stands.count(place) == 1
        tokens = [claim.token for claim in self.claims]
        assert tokens == sorted(tokens), "a token fell"

    def teardown(self) -> None:
        """At rest, each job stands in exactly one place, and nobody holds anything."""
        try:
            if sys.exc_info()[0] is None:
                self._come_to_rest()
        finally:
            self.client.flushall()
            self.client.close()
            self.broker.close()

    def _come_to_rest(self) -> None:
        for process in PROCESSES:
            self._recover(process, resigned=True, charged=[])
        for queue in QUEUES:
            self.broker.run(calls.pause(self.keys, queue, "resumed"))
            self.model.paused.discard(queue)
            self.join("p0", False)
            known = len(self.claims)
            self.claim("p0", queue, 1000, False)
            if claims := self.claims[known:]:
                self._settle("complete", claims, delay=0.0, front=False, kept=True)
        self._recover("p0", resigned=True, charged=[])
        assert list(scan(self.client, self.keys.prefix).misplaced()) == []

    @property
    def _now(self) -> dict[str, float]:
        return {"now": self.model.clock}


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _texts(values: list[bytes]) -> list[str]:
    return [value.decode() for value in values]


def _token_and_ids(reply: list[Any]) -> list[Any]:
    claimed = read_claim(reply, "", 0.0)
    return [int(reply[0]), *(job.id for job in claimed)] if reply else []


def _stored(fields: Mapping[str, str]) -> tuple[Any, ...]:
    token = fields.get("p:token")
    counts = [int(fields.get(f"p:{name}", 0)) for name in ("attempt", "redelivered", "deaths")]
    return fields["status"], fields["origin"], int(token) if token else None, fields.get("worker_name"), *counts


def _expected(job: ModelJob) -> tuple[Any, ...]:
    return job.status, job.queue, job.token, job.holder, job.attempt, job.redelivered, job.deaths


# The case --------------------------------------------------------------------------------------------------------


def model(ground: Ground) -> Iterator[Verdict]:
    """No sequence of calls brings server and model apart; without the token check of complete.lua, one does."""
    examples, steps = (200, 40) if ground.short else (1000, 50)
    with Server() as server:
        yield run("model", server, ground.seed, settings(max_examples=examples, stateful_step_count=steps))
        with without_fence("complete"):
            quick = settings(max_examples=200, stateful_step_count=steps, phases=[Phase.generate])
            mutant = run("control model without token check", server, ground.seed, quick)
        yield control(mutant, bool(mutant.red))


def run(case: str, server: Server, number: int, chosen: settings) -> Verdict:
    """Let Hypothesis try, and tell the steps that it found."""
    began, machine = time.monotonic(), type("Seeded", (Machine,), {"url": server.url})
    Machine.acked = 0
    verdict = Verdict(case, seed=number)
    patient = settings(chosen, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    try:
        run_state_machine_as_test(seed(number)(machine), settings=patient)
    except AssertionError as error:
        failed = traceback.extract_tb(error.__traceback__)[-1]
        steps = [line for note in getattr(error, "__notes__", ()) for line in note.splitlines()]
        verdict.red = [f"{failed.line} {error}", *(line for line in steps if "the_server_holds" not in line)]
    verdict.acked, verdict.seconds = Machine.acked, round(time.monotonic() - began, 1)
    return verdict


@contextmanager
def without_fence(name: str) -> Iterator[None]:
    """In this block the script does not check its token."""
    kept = SCRIPTS[name]
    unfence(name)
    try:
        yield
    finally:
        SCRIPTS[name] = kept
