"""How much memory a process uses."""

import resource
import sys
from pathlib import Path


def resident_bytes(pid: int = 0) -> int:
    """Bytes of memory that a process holds now, this one where none is named.

    Where the system does not tell: of this one its peak, of another 0.
    """
    try:
        pages = int(Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1])
    except (OSError, IndexError):
        if pid:
            return 0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * resource.getpagesize()
