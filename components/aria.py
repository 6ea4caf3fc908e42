"""Attributes for those who do not see the page, and for the sheet."""

from typing import Any


def aria(**attributes: str) -> dict[str, Any]:
    """Return ``aria-*`` attributes, to be spread into a component."""
    return {f"aria-{name}": value for name, value in attributes.items()}


def state(word: str) -> dict[str, Any]:
    """Return the attribute by which the sheet tells the states of a part of the page."""
    return {"data-state": word}
