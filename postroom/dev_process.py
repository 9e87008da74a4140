"""`python -m postroom.dev_process VERB … FD`: a verb of `postroom` that ends when whoever started it does."""

import sys

from postroom.__main__ import main
from postroom.workers.lifeline import hold

if __name__ == "__main__":
    hold(int(sys.argv.pop()))
    main()
