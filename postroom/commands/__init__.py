"""The `postroom` command: one file per verb."""
