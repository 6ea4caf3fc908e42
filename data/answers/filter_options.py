"""What a window can be filtered by: the workflows, models, triggers and statuses on offer."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from data.platform.words import newest_words, workflows_of
from data.question.filters import LENGTH_AT_MOST
from data.question.query import UsageQuery
from data.sums.groups import folded_models
from data.sums.totals import Totals

# To look through all executions of a window would take longer than to list them.
_LOOKED_THROUGH: Final = 1000
_WORKFLOWS_AT_MOST: Final = 1000
# Of a word that no filter takes, no more is read than tells so.
_READ: Final = LENGTH_AT_MOST + 1


@dataclass(frozen=True)
class FilterOptions:
    """What can be chosen; ``workflows`` are names by id, in their order, cut to be ``shown``.

    ``models``, ``triggers`` and ``statuses`` are those of the window's newest executions, the
    models of all of them where there is a rollup; what the filters ask for is always among them.
    What is longer than a filter takes is not.
    """

    workflows: dict[str, str]
    models: Sequence[str]
    triggers: Sequence[str]
    statuses: Sequence[str]


def filter_options_of(totals: Totals, query: UsageQuery) -> FilterOptions:
    """Return what the window of ``query`` can be filtered by."""
    snapshot, workspace_id = totals.snapshot, query.workspace_id
    models = folded_models(totals, workspace_id, query.window)
    seen = newest_words(snapshot, workspace_id, query.window, _LOOKED_THROUGH, _READ)
    filters = query.filters
    return FilterOptions(
        workflows=workflows_of(snapshot, workspace_id, _WORKFLOWS_AT_MOST, LENGTH_AT_MOST),
        models=_listed(seen.models, models, filters.model),
        triggers=_listed(seen.triggers, filters.trigger),
        statuses=_listed(seen.statuses, filters.status),
    )


def _listed(*words: Sequence[str]) -> list[str]:
    return sorted({word for word in chain.from_iterable(words) if len(word) <= LENGTH_AT_MOST})
