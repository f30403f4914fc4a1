"""Benchmarks: each beside its floor and its peers, measured in the same run, as ratios.

`python -m tests.bench` runs them. They hold nothing: a figure that falls short is shown, not failed.
How each is measured stands in `docs/benchmarks.md`.
"""
