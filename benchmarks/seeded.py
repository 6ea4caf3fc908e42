"""Made-up data, the same each time."""

from random import Random


def seeded(number: int) -> Random:
    """Return a source of numbers that are the same for the same ``number``."""
    return Random(number)  # noqa: S311 - no secrets: these numbers have to be foreseen
