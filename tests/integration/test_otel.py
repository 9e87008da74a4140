"""OpenTelemetry: spans of a real producer and a real worker, written by the official SDK."""

import json
from typing import Any

import pytest

from postroom import Postroom
from tests.integration.programs import Program

SHOP = """
import json, os, signal, sys
from tenacity import stop_after_attempt, wait_none
from postroom import Postroom, Retry, Secret, current_job

if os.environ.get("SDK"):
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

    class ToFile(SpanExporter):
        def export(self, spans):
            with open("spans", "a") as file:
                for span in spans:
                    file.write(json.dumps(json.loads(span.to_json())) + "\\n")
            return SpanExportResult.SUCCESS

    trace.set_tracer_provider(TracerProvider())
    trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(ToFile()))

app = Postroom()
if os.environ.get("INSTRUMENT"):
    from postroom.integrations.otel import instrument
    instrument(app)
    instrument(app)

@app.task(queue="mail")
def fine(n):
    if os.environ.get("SDK"):
        with trace.get_tracer("shop").start_as_current_span("inside"):
            pass
    return n

@app.task(queue="mail")
async def later(n):
    return n

@app.task(queue="mail", retry=Retry(stop=stop_after_attempt(2), wait=wait_none()))
def charge(pin: Secret[str]):
    raise ConnectionError(f"refused {pin}")

@app.task(queue="mail", isolate=True, retry=None)
def crash():
    os.kill(os.getpid(), signal.SIGSEGV)

@app.task(queue="mail")
def imported():
    return "postroom.integrations.otel" in sys.modules
"""
PRODUCE = """
from shop import *
with trace.get_tracer("web").start_as_current_span("checkout"):
    print(fine.enqueue(1).id, later.enqueue(1).id, charge.enqueue("c4nary-7731").id, crash.enqueue().id)
    fine.enqueue_many([(2,), (3,)])
"""


@pytest.fixture
def shop(program: Program) -> Program:
    """The shop's folder."""
    program.write("shop.py", SHOP)
    program.write("produce.py", PRODUCE)
    return program


def produce(shop: Program, **environ: str) -> list[str]:
    done = shop.run("produce.py", SDK="1", **environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def burst(shop: Program, **environ: str) -> None:
    worker = shop.start("-m", "postroom", "worker", "shop:app", "--burst", **environ)
    assert worker.wait() == 0, worker.log


def spans(shop: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (shop.folder / "spans").read_text().splitlines()]


def of(found: list[dict[str, Any]], name: str, job_id: str = "") -> list[dict[str, Any]]:
    return [
        span
        for span in found
        if span["name"] == name and job_id in {"", span["attributes"].get("messaging.message.id")}
    ]


@pytest.mark.parametrize("how", [{"POSTROOM_OTEL": "1"}, {"INSTRUMENT": "1"}])
def test_one_trace_from_the_producer_to_the_worker(shop: Program, how: dict[str, str]) -> None:
    fine_id, later_id, _, _ = produce(shop, **how)
    burst(shop, SDK="1", **how)
    found = spans(shop)
    (checkout,) = of(found, "checkout")
    ours = [span for span in found if span["name"] in {"publish mail", "process mail"}]
    assert {span["context"]["trace_id"] for span in ours} == {checkout["context"]["trace_id"]}
    for job_id in (fine_id, later_id):
        (published,), (processed,) = of(found, "publish mail", job_id), of(found, "process mail", job_id)
        assert (published["kind"], processed["kind"]) == ("SpanKind.PRODUCER", "SpanKind.CONSUMER")
        assert published["parent_id"] == checkout["context"]["span_id"]
        assert processed["parent_id"] == published["context"]["span_id"]
        assert [link["context"]["span_id"] for link in processed["links"]] == [published["context"]["span_id"]]
        assert processed["status"]["status_code"] == "UNSET"
    (published,), (processed,) = of(found, "publish mail", fine_id), of(found, "process mail", fine_id)
    assert published["attributes"] == {
        "messaging.system": "postroom",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": "mail",
        "messaging.message.id": fine_id,
        "messaging.message.body.size": len('["shop.fine",null,[1],{}]'),
        "postroom.task": "shop.fine",
    }
    told = processed["attributes"]
    assert told["postroom.wait"] >= 0
    assert told["messaging.client.id"]
    assert {name: told[name] for name in told if name not in {"postroom.wait", "messaging.client.id"}} == {
        **published["attributes"],
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "postroom.attempt": 1,
    }
    inside = {span["parent_id"] for span in of(found, "inside")}
    assert inside == {
        span["context"]["span_id"]
        for span in of(found, "process mail")
        if span["attributes"]["postroom.task"] == "shop.fine"
    }
    (many,) = [span for span in of(found, "publish mail") if "messaging.batch.message_count" in span["attributes"]]
    assert many["attributes"]["messaging.batch.message_count"] == 2
    children = [span for span in of(found, "process mail") if span["parent_id"] == many["context"]["span_id"]]
    assert len(children) == 2


def test_errors_without_secrets_and_a_process_that_died(shop: Program) -> None:
    *_, charge_id, crash_id = produce(shop, POSTROOM_OTEL="true")
    burst(shop, SDK="1", POSTROOM_OTEL="true")
    found = spans(shop)
    first, last = of(found, "process mail", charge_id)
    assert [span["attributes"]["postroom.attempt"] for span in (first, last)] == [1, 2]
    assert "postroom.cause" not in first["attributes"]
    assert last["attributes"]["postroom.cause"] == "exhausted"
    for span in (first, last):
        assert span["status"] == {"status_code": "ERROR", "description": "ConnectionError: refused ***"}
        (event,) = span["events"]
        assert event["attributes"]["exception.type"] == span["attributes"]["error.type"] == "ConnectionError"
        assert "in charge" in event["attributes"]["exception.stacktrace"]
    assert "c4nary" not in (shop.folder / "spans").read_text()
    crashed = of(found, "process mail", crash_id)
    assert crashed
    assert {span["status"]["status_code"] for span in crashed} == {"ERROR"}
    assert crashed[-1]["attributes"]["postroom.cause"] == "poison"


def test_nothing_where_it_is_off(shop: Program, app: Postroom, client: Any) -> None:
    job_id, *_ = produce(shop)
    assert client.hget(f"rq:job:{job_id}", "p:trace") is None
    job = app.enqueue("shop.imported", queue="mail")
    burst(shop)
    assert job.result(1) is False
    assert {span["name"] for span in spans(shop)} == {"checkout"}


def test_without_an_sdk_jobs_run_all_the_same(shop: Program, app: Postroom) -> None:
    job = app.enqueue("shop.fine", 1, queue="mail")
    burst(shop, POSTROOM_OTEL="on")
    assert job.result(1) == 1


def test_a_setting_that_is_neither(shop: Program) -> None:
    done = shop.run("-m", "postroom", "worker", "shop:app", "--burst", POSTROOM_OTEL="maybe")
    assert done.returncode == 2
    assert "otel='maybe'" in done.stderr
