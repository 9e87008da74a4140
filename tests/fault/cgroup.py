"""A cgroup (v2, with its memory controller) that bounds processes, where the machine lets us make one."""

from collections.abc import Sequence
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def make_group(name: str, most_bytes: int) -> Path | None:
    """A new group; None where there can be none."""
    group = ROOT / name
    try:
        if "memory" not in (ROOT / "cgroup.subtree_control").read_text().split():
            return None
        group.mkdir()
        (group / "memory.max").write_text(str(most_bytes))
        (group / "memory.swap.max").write_text("0")
    except OSError:
        return None
    return group


def put_in(group: Path, pids: Sequence[int]) -> None:
    """Move processes there; those that they start will be there, too."""
    for pid in pids:
        (group / "cgroup.procs").write_text(str(pid))
