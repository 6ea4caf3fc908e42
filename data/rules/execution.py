"""One execution, from the statement that reads it to page, API and file; and its charges."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from data.rules.labels import UsageType


class Label(NamedTuple):
    """What an execution counts as, and its dollars above the limit; None where it has no cost."""

    type: UsageType
    on_demand: Decimal | None


class Execution(NamedTuple):
    """A row of the ledger.

    ``workflow_name`` is None where the workflow was deleted; ``tokens`` and ``cost`` (dollars) are
    None where they are unknown. ``tokens_complete`` is False where a model was used of which no
    tokens are recorded: there were at least so many. ``sent`` and ``received`` (tokens) and the
    ``label`` are None also where the question did not need them.
    """

    id: str
    execution_id: str
    workspace_id: str
    started_at: datetime
    status: str
    trigger: str
    workflow_id: str | None
    workflow_name: str | None
    models: list[str]
    tokens: int | None
    tokens_complete: bool
    cost: Decimal | None
    sent: int | None = None
    received: int | None = None
    label: Label | None = None

    @property
    def type(self) -> UsageType:
        """Its Type; LookupError where it was read without."""
        return self._labelled.type

    @property
    def on_demand(self) -> Decimal | None:
        """Its dollars above the limit; LookupError where it was read without."""
        return self._labelled.on_demand

    @property
    def _labelled(self) -> Label:
        if self.label is None:
            raise LookupError("this execution was read without its Type")
        return self.label


class Charge(NamedTuple):
    """A line of an execution's cost, in dollars; ``tools`` are within ``cost``.

    ``model`` is None for what no model accounts for: base charge and tools, the rest up to the
    total. ``sent`` and ``received`` are tokens.
    """

    model: str | None
    cost: Decimal | None
    tools: Decimal | None = None
    tokens: int | None = None
    sent: int | None = None
    received: int | None = None
