"""Measure this package against the published one, loky and dask: `python -m benchmarks`."""
