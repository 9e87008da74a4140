"""Every metric that the docs, the dashboard and the scaling examples name is one, with the labels that they use."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client import Metric

from postroom.integrations import prometheus
from postroom.jobs.keys import Keys
from postroom.monitor.gauges import OTHER, Gauges, QueueGauges
from postroom.workers.record import Record
from postroom.workers.tally import Row

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("metrics.md", "scaling.md", "grafana/postroom.json")
_NAME = re.compile(r"\bpostroom_[a-z_]+\b")
_NOT_METRICS = {"postroom_metrics_port"}


def families() -> list[Metric]:
    """What the code tells, of everything something."""
    standing = Record(1).standing()
    return [
        *prometheus._jobs([Row("mail", "send")]),
        *prometheus._pool(standing, 0),
        *prometheus._duties(0),
        *prometheus._server(Gauges({OTHER: QueueGauges()}, 1)),
    ]


def samples() -> dict[str, set[str]]:
    """The labels of every sample, by its name."""
    found: dict[str, set[str]] = {}
    for family in families():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def text(page: str) -> str:
    return (DOCS / page).read_text()


@pytest.mark.parametrize("page", PAGES)
def test_every_name_is_a_metrics(page: str) -> None:
    names = set(_NAME.findall(text(page))) - _NOT_METRICS
    known = set(samples()) | {family.name for family in families() if family.type == "histogram"}
    assert names
    assert names <= known, names - known


@pytest.mark.parametrize("page", PAGES)
def test_every_label_is_its_metrics(page: str) -> None:
    known = samples()
    used = re.findall(r"(postroom_[a-z_]+)\{([a-z]+)=", text(page))
    assert used
    for name, label in used:
        assert label in known[name], (name, label)


def test_the_tables_list_all_and_their_labels() -> None:
    rows = re.findall(r"^\| `(postroom_\w+)` \| (\w+) \| ([^|]*)\|", text("metrics.md"), re.MULTILINE)
    listed = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    told = {}
    for family in families():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        told[name] = (family.type, labels)
    assert listed == told


def test_names_have_base_units_and_no_metric_is_told_twice() -> None:
    names = [family.name for family in families()]
    assert len(names) == len(set(names))
    for family in families():
        assert family.documentation.endswith(".")
        assert not re.search(r"_(ms|milliseconds|minutes|mb|kb|percent)(_|$)", family.name)


def test_the_dashboards_expressions_group_by_labels_that_there_are() -> None:
    dashboard = json.loads(text("grafana/postroom.json"))
    known, expressions = samples(), [one["expr"] for panel in dashboard["panels"] for one in panel["targets"]]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for expression in expressions:
        labels = {label for group in re.findall(r"by \(([a-z, ]+)\)", expression) for label in group.split(", ")}
        (*_, name) = _NAME.findall(expression)
        assert labels <= known[name], expression
        assert expression.count("(") == expression.count(")")


def test_the_dashboard_shows_every_metric() -> None:
    shown = set(_NAME.findall(text("grafana/postroom.json")))
    assert {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in samples()} <= {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in shown
    }


def test_the_list_that_keda_reads_is_the_queues() -> None:
    assert re.findall(r'listName: "([^"]+)"', text("scaling.md")) == [Keys().queue("mail")]
