"""Sums over spans of time, from the rollup where it can be trusted, else from executions."""
