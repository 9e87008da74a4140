"""Protobuf's schemas of a task before and after a change: what `buf breaking` says of them, and what we say.

buf (https://buf.build/docs/breaking/rules/) holds the wire of compiled readers against one another, category WIRE.
Fields are numbers there and all may be absent: less is a break than for us, who also ask whether a reader gets what its
code requires. What it does call a break must be one for us, too, or have its reason here.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from postroom.contracts.breaks import Whom
from postroom.contracts.compare import compare
from postroom.contracts.derive import derive
from postroom.contracts.schema import normal
from postroom.jobs import protobuf
from postroom.jobs.signature import Signature

ROOT = Path(__file__).parents[2]
WIRE = '{"version":"v2","breaking":{"use":["WIRE"]}}'
PLACES = (str(ROOT / ".node/node_modules/.bin"), str(Path(sys.executable).parent), os.environ["PATH"])
BUF = shutil.which("buf", path=os.pathsep.join(PLACES))

needs_buf = pytest.mark.skipif(
    BUF is None, reason="NOT TRIED: buf is not here; npm install --prefix .node @bufbuild/buf"
)


@dataclass(frozen=True)
class Change:
    name: str
    old: Any
    new: Any
    buf: bool
    """Does buf let it pass?"""
    why: str = ""


def of(*fields: Any) -> Any:
    """A class with these fields."""
    return make_dataclass("Order", fields)


CHANGES = [
    Change("nothing", of(("a", int)), of(("a", int)), True),
    Change("a field with a default is added", of(("a", int)), of(("a", int), ("b", str, "")), True),
    Change("a field without a default is added", of(("a", int)), of(("a", int), ("b", str)), True),
    Change("a field is taken away", of(("a", int), ("b", str, "")), of(("a", int)), True),
    Change("fields change places", of(("a", int), ("b", str)), of(("b", str), ("a", int)), True),
    Change("a field comes before the others", of(("b", str)), of(("a", int), ("b", str)), True),
    Change("text to number", of(("a", str)), of(("a", int)), False),
    Change("int to float", of(("a", int)), of(("a", float)), False),
    Change("text to bytes", of(("a", str)), of(("a", bytes)), True),
    Change("one to a list", of(("a", int)), of(("a", list[int])), False),
    Change("a type becomes optional", of(("a", int)), of(("a", int | None)), False),
    Change("a union gets one more", of(("a", int | str)), of(("a", int | str | None)), True),
    Change("a union loses one", of(("a", int | str | None)), of(("a", int | str)), True),
    Change("a list in a list", of(("a", list[list[int]])), of(("a", list[list[str]])), False),
    Change("the values of a map", of(("a", dict[str, int])), of(("a", dict[str, str])), False),
    Change("a literal gets a value", of(("a", Literal["x"])), of(("a", Literal["x", "y"])), True),
]


def described(kind: Any) -> FileDescriptorProto:
    """The schema of a task that takes such an object."""

    def handler(order: kind) -> None: ...

    signature = Signature.of("shop.take", handler)
    assert signature is not None
    _, text = signature.by_schema("protobuf").schema or ("", "{}")
    return json_format.ParseDict(json.loads(text), FileDescriptorProto())


@needs_buf
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_bufs_verdict(change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = described(change.old)
    monkeypatch.setattr(protobuf, "_locked", [old])
    for name, file in (("old", old), ("new", described(change.new))):
        (tmp_path / f"{name}.json").write_text(json.dumps({"file": [json_format.MessageToDict(file)]}))
    run = subprocess.run(
        [str(BUF), "breaking", "new.json", "--against", "old.json", "--config", WIRE],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode == 0) == change.buf, run.stdout + run.stderr
    assert run.returncode in {0, 100}, run.stderr


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_what_breaks_for_buf_breaks_for_us_or_has_its_reason(change: Change) -> None:
    old, new = (normal(derive(kind)) for kind in (change.old, change.new))
    breaks = compare(old, new, Whom.NEW) or compare(new, old, Whom.OLD)
    assert bool(change.why) == (not change.buf and not breaks)
