"""The promises that are measured; run with ``python -m benchmarks [NAME ...]``."""
