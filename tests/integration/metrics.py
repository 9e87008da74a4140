"""What the tests of the endpoint share: a free port, and asking it."""

import socket
import urllib.error
import urllib.request
from typing import Any

from prometheus_client.parser import text_string_to_metric_families


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def get(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    """Status, content type, text."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def scrape(port: int) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Each sample's value, by its name and its labels, as Prometheus's own parser reads them."""
    status, _, text = get(port, "/metrics")
    assert status == 200, text
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(port: int, name: str, **labels: Any) -> float | None:
    """One sample; None where there is none."""
    return scrape(port).get(name, {}).get(tuple(sorted(labels.items())))


def answers(port: int) -> bool:
    """Does anybody listen?"""
    try:
        get(port, "/healthz")
    except OSError:
        return False
    return True
