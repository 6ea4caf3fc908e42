"""What page, CSV and API say alike of an execution; pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

DELETED_WORKFLOW: Final = "Deleted workflow"
# The statuses of executions whose cost and Type may still change.
UNFINISHED: Final = ("running", "pending", "paused", "redacting")
OTHER: Final = "Other"
BASE_AND_TOOLS: Final = "Base and tools"


class UsageType(StrEnum):
    """What a row counts as; the value is the spelling in the API."""

    INCLUDED = "included"
    ON_DEMAND = "on_demand"


_TYPE_LABELS: Final = {UsageType.INCLUDED: "Included", UsageType.ON_DEMAND: "On-Demand"}


def type_label(usage_type: UsageType) -> str:
    """Name a Type as page and CSV do."""
    return _TYPE_LABELS[usage_type]


def rfc3339(instant: datetime) -> str:
    """Write an instant in UTC with microseconds: ``2026-11-22T09:15:27.412000Z``."""
    # strftime would say the same at many times the price, ten thousand times a file.
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return instant.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def model_label(models: Sequence[str]) -> str:
    """Name the first model and count the rest, ``gpt-4o +2``; empty where there is none."""
    if not models:
        return ""
    return models[0] if len(models) == 1 else f"{models[0]} +{len(models) - 1}"


def workflow_label(name: str | None) -> str:
    """Name a workflow; None means that its row is gone."""
    return DELETED_WORKFLOW if name is None else name


def told_apart(names: Mapping[str, str], spell: Callable[[str], str] = str) -> dict[str, str]:
    """Return names by id, with the beginning of the id behind those that several share.

    ``spell`` writes names and ids; what it makes alike is shared too.
    """
    spelled = {key: spell(name) for key, name in names.items()}
    shared = Counter(spelled.values())
    return {
        key: name if shared[name] == 1 else f"{name} ({spell(key[:8])})"
        for key, name in spelled.items()
    }
