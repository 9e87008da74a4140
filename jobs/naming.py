"""Names: what a task is called, and what `MODULE:app` points at."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from postroom.jobs.errors import ConfigError


def task_name(function: Callable[..., Any]) -> str:
    """`module.qualname`, the same however the module was loaded.

    A module run as a script is called `__main__`, and one whose folder is on the path is found without its packages;
    the file tells the name that a worker would import.
    """
    qualname: str = getattr(function, "__qualname__", "")
    if "<locals>" in qualname or "<lambda>" in qualname or not qualname:
        raise ConfigError(
            f"{qualname or function!r} is not at the top of a module, so that no worker could find it: move it there, "
            "or give it a name: @app.task(name=…)"
        )
    return f"{canonical_module(function.__module__)}.{qualname}"


def canonical_module(module: str) -> str:
    """The dotted name by which a worker would import the loaded module `module`."""
    loaded = sys.modules.get(module)
    spec = getattr(loaded, "__spec__", None)
    name = spec.name if module == "__main__" and spec is not None else module
    file = getattr(loaded, "__file__", None)
    if file is None:
        return name
    dotted = _from_file(Path(file).resolve())
    return dotted if name == "__main__" or dotted.endswith(f".{name}") else name


def _from_file(path: Path) -> str:
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def import_module(name: str) -> Any:
    """Import a module by its dotted name, with the current folder on the path.

    Raises:
        ConfigError: there is no such module. What the module itself raises passes through.
    """
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigError(f"no module named {error.name!r} (looked in {folder} and on the Python path)") from error
        raise


def import_target(target: str) -> Any:
    """The object that `MODULE:ATTRIBUTE` names; `app` where no attribute is given.

    Raises:
        ConfigError: the form is wrong, or there is no such module or attribute.
    """
    module_name, _, attribute = target.partition(":")
    parts = target.replace(":", ".", 1).split(".")
    if module_name.endswith(".py") or not all(part.replace("-", "_").isidentifier() for part in parts):
        raise ConfigError(f"{target!r} is not MODULE:app, e.g. shop.app:app")
    module = import_module(module_name)
    found = module
    for part in (attribute or "app").split("."):
        if not hasattr(found, part):
            raise ConfigError(f"module {module_name!r} has no {attribute or 'app'!r}")
        found = getattr(found, part)
    return found


def import_function(name: str) -> Callable[..., Any]:
    """The function of a dotted name, `shop.callbacks.notify` or `shop.callbacks.Mailer.notify`.

    Raises:
        ConfigError: there is no such function.
    """
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: Any = import_module(".".join(parts[:cut]))
        except ConfigError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part, None)
        if callable(found):
            return found  # type: ignore[no-any-return]
        break
    raise ConfigError(f"{name!r} names no function")
