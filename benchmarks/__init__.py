"""How fast, and against whom: `python -m benchmarks`, told in docs/benchmarks.md."""
