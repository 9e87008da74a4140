"""Where the figures were measured: machine, versions, load."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("postroom", "redis", "hiredis", "msgspec")


def machine() -> str:
    """Processor, cores that may be used, memory, system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{_processor()}, {cores} cores, {memory:.0f} GB, {platform.system()} {platform.release().split('-')[0]}"


def versions() -> dict[str, str]:
    """Python and the packages of Postroom's own environment that take part."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def load() -> float:
    """How many processes wanted a core in the last minute: above 0 at the start, the machine has other work."""
    return round(os.getloadavg()[0], 2)


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()
