"""What the provider costs beside the same DAGs written by hand: ``python -m benchmarks`` (see README.md)."""
