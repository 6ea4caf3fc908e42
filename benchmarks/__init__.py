"""Measures what the product costs: `make bench` runs it all and writes docs/performance.md."""
