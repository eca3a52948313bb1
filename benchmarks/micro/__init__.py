"""Micro-benchmarks of the hot functions, with pytest-benchmark."""
