"""The house rules that no linter knows: files read in one go, functions that fit a screen, no late imports."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MOST_LINES, MOST_FUNCTION_LINES, MOST_LUA_LINES = 400, 60, 60


def broken_rules(path: Path, text: str) -> Iterator[str]:
    """What `path` breaks, one line each."""
    lines = text.count("\n")
    if path.suffix == ".lua":
        if lines > MOST_LUA_LINES:
            yield f"{path}: {lines} lines, {MOST_LUA_LINES} at most in a script"
        return
    if lines > MOST_LINES:
        yield f"{path}: {lines} lines, {MOST_LINES} at most in a file"
    tree = ast.parse(text)
    if text.strip() and ast.get_docstring(tree) is None:
        yield f"{path}: no docstring says what the file is"
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        long = (node.end_lineno or 0) - node.lineno + 1
        if long > MOST_FUNCTION_LINES:
            yield f"{path}:{node.lineno}: {node.name} has {long} lines, {MOST_FUNCTION_LINES} at most in a function"
        if path.parts[0] != "tests":
            late = next((n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)), None)
            if late is not None:
                yield f"{path}:{late.lineno}: import inside {node.name}"


def main() -> int:
    """Look at every file that git knows."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py", "*.lua"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    paths = [path for path in map(Path, listed) if path.exists()]
    found = [rule for path in paths for rule in broken_rules(path, path.read_text())]
    for rule in found:
        print(rule)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
