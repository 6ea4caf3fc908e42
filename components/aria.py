"""Attributes for those who do not see the page."""

from typing import Any


def aria(**attributes: str) -> dict[str, Any]:
    """Return ``aria-*`` attributes, to be spread into a component."""
    return {f"aria-{name}": value for name, value in attributes.items()}
