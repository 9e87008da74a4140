"""What the demo's workers run: `measure`, the one task of this app."""

import ast
import hashlib
import os
import stat
from pathlib import Path
from typing import TypedDict

from postroom.demo.crew import leave_with_the_demo
from postroom.demo.files import from_text
from postroom.jobs.app import Postroom

LIMIT = 5_000_000
"""Bytes. Python's parser takes 0.5 s and 65 MB for each MB, and no other thread runs meanwhile: not even the one that
renews the lease, so that a file of 30 MB would cost the worker its jobs."""

app = Postroom()
leave_with_the_demo()


class Measure(TypedDict):
    """What one file has in it."""

    file: str
    lines: int
    functions: int
    classes: int
    imports: int
    sha256: str


# The results outlive a demo that sleeps for a while (Ctrl-Z). What cannot be read now cannot be read in a minute.
@app.task(queue="demo", timeout=60, result_ttl=3600, retry=None)
def measure(file: str) -> Measure:
    """Parse one Python file and count what is in it.

    Args:
        file: its absolute path, as `to_text` writes it.

    Raises:
        SyntaxError: it does not decode, or does not parse.
        OSError: it cannot be read.
        ValueError: it is no ordinary file, too large, or has null bytes (before Python 3.11.4).
    """
    path = from_text(file)
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("not a regular file")  # to open a pipe would be to wait for ever
    if found.st_size > LIMIT:
        raise ValueError(f"{found.st_size:,} bytes; the demo parses files of up to {LIMIT:,}")
    source = Path(path).read_bytes()
    shown = os.fsencode(path).decode(errors="replace")  # an error quotes it, and must be text
    functions, classes, imports = count(ast.parse(source, shown))
    return {
        "file": file,
        "lines": len(source.splitlines()),
        "functions": functions,
        "classes": classes,
        "imports": imports,
        "sha256": hashlib.sha256(source).hexdigest(),
    }


def count(module: ast.Module) -> tuple[int, int, int]:
    """How many functions, classes and import statements, at any depth.

    Only statements hold any of them, so expressions, which are most of a tree, are not looked at.
    """
    functions = classes = imports = 0
    todo: list[ast.AST] = [module]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions += 1
        elif isinstance(node, ast.ClassDef):
            classes += 1
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports += 1
        for block in ("body", "handlers", "orelse", "finalbody", "cases"):
            todo += getattr(node, block, ())
    return functions, classes, imports
