"""`rq info` and RQ's registries show our jobs where they stand, and RQ's clean-up leaves the running ones alone."""

import redis

from postroom import Postroom
from tests.integration.interop import rq_side
from tests.integration.interop.conftest import LEASE, PATIENCE, RqProcess, Shop, until


def test_rq_info_counts_our_jobs(shop: Shop, app: Postroom) -> None:
    # Given jobs of ours that have finished, that have failed, that run and that wait
    app.enqueue("shop.add", 2, 3)
    app.enqueue("shop.add", 2, 3)
    app.enqueue("shop.fail", "no stock")
    shop.work()
    held = app.enqueue("shop.hold")
    with shop.working():
        until(lambda: held.status() == "started", "the job runs")
        for _ in range(4):
            app.enqueue("shop.add", 2, 3, queue="mail")

        # I expect RQ's own command to count them
        lines = shop.rq("info", "--raw", "--only-queues").splitlines()
        assert "queue default 0, 1 executing, 2 finished, 1 failed" in lines
        assert "queue mail 4, 0 executing, 0 finished, 0 failed" in lines
        (shop.folder / "go").touch()
        assert held.result(timeout=PATIENCE) == "let go"


def test_the_registries_hold_our_jobs(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    done, dead = app.enqueue("shop.add", 2, 3), app.enqueue("shop.fail", "no stock")
    later, canceled = app.enqueue("shop.add", 2, 3, delay=3600), app.enqueue("shop.add", 2, 3)
    canceled.cancel()
    expired = app.enqueue("shop.add", 2, 3, deadline=0.001)

    shop.work()

    assert rq(rq_side.registry, "finished") == [done.id]
    assert rq(rq_side.registry, "failed") == [dead.id]
    assert rq(rq_side.registry, "scheduled") == [later.id]
    assert rq(rq_side.registry, "canceled") == [canceled.id, expired.id]
    statuses = [rq(rq_side.look, job.id)["status"] for job in (done, dead, later, canceled, expired)]
    assert statuses == ["finished", "failed", "scheduled", "canceled", "canceled"]


def test_a_running_job_is_left_alone_by_rqs_clean_up(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    # Given a job that runs, for longer than RQ would wait for a sign of life
    job = app.enqueue("shop.hold")
    with shop.working():
        until(lambda: job.status() == "started", "the job runs")

        # If RQ cleans up in every way that it has
        assert rq(rq_side.registry, "started") == [job.id]
        rq(rq_side.clean_up_started, days=1000)
        shop.rq("info")
        shop.rq("worker", "--serializer", "json", "--burst")

        # I expect the job to go on running, and to end well
        assert rq(rq_side.registry, "started") == [job.id]
        assert job.status() == "started"
        (shop.folder / "go").touch()
        assert job.result(timeout=PATIENCE) == "let go"
    assert shop.notes() == ["hold"]
    assert rq(rq_side.registry, "started") == rq(rq_side.registry, "failed") == []


def test_a_killed_workers_job_is_left_to_us_by_rqs_clean_up(shop: Shop, rq: RqProcess, app: Postroom) -> None:
    # Given a worker that was killed with a job
    job = app.enqueue("shop.hold")
    with shop.worker(lease=LEASE) as dying:
        until(lambda: job.status() == "started", "the job runs")
        dying.kill()

    # If RQ cleans up before we do
    rq(rq_side.clean_up_started, days=1000)
    shop.rq("info")

    # I expect it to be recovered and run as if RQ had not been there
    assert job.status() == "started"
    shop.recover()
    (shop.folder / "go").touch()
    shop.work()
    assert job.result(timeout=0) == "let go"
    assert rq(rq_side.registry, "failed") == []


def test_an_rq_job_is_kept_as_long_as_it_says(shop: Shop, rq: RqProcess, client: redis.Redis) -> None:
    # Given jobs of RQ's whose results are to be kept not at all, for an hour and for ever
    ids = {ttl: rq(rq_side.enqueue, "shop.add", 2, 3, result_ttl=ttl) for ttl in (0, 3600, -1)}

    shop.work()

    # I expect the hash, the result and the entry in the registry to have the same time left
    times = {ttl: (client.ttl(f"rq:job:{job_id}"), client.ttl(f"rq:results:{job_id}")) for ttl, job_id in ids.items()}
    assert times[0] == (-2, -2)
    assert all(3500 < seconds <= 3600 for seconds in times[3600])
    assert times[-1] == (-1, -1)
    assert rq(rq_side.registry, "finished") == [ids[3600], ids[-1]]
