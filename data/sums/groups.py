"""What a window cost by workflow or by model, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    Text,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from data.platform.executions import Counted
from data.platform.selection import Selection
from data.question.filters import DELETED, LENGTH_AT_MOST
from data.question.query import Split
from data.rules.calendar import Span
from data.rules.labels import BASE_AND_TOOLS, DELETED_WORKFLOW, OTHER, told_apart
from data.rules.money import ZERO, exact, trimmed
from data.sums.measures import added_by
from data.sums.places import by_place, instants
from data.sums.rollup import tables
from data.sums.rollup.pending import changed_rows, changed_states
from data.sums.sources import OF_GROUPS, Source, spans_by_source
from data.sums.totals import Totals

# So many are told apart; what is left over is summed as one.
TOP: Final = 7
_OTHER: Final = TOP + 1
_BASE_AND_TOOLS: Final = TOP + 2


@dataclass(frozen=True)
class Group:
    """One part of a split: its dollars in each step.

    ``key`` is the model's name, or the workflow's id as a filter has it; None for what is no
    single one of them. ``label`` is its ``name``, told apart from others that have the same.
    """

    key: str | None
    name: str
    label: str
    costs: Sequence[Decimal]

    @property
    def cost(self) -> Decimal:
        """Its dollars in the whole window."""
        with exact():
            return trimmed(sum(self.costs, ZERO))


def groups_by(
    totals: Totals, selection: Selection, steps: Sequence[Span], split: Split
) -> list[Group]:
    """Split the costs of the selected executions in ``steps``, which follow on each other.

    The dearest first, then "Other", then what no model accounts for. They add up to the cost of
    each step. To be split by Type is the business of sums.
    """
    if not steps or split is Split.TYPE:
        return []
    part = union_all(*_parts(totals, selection, steps, split)).subquery("part")
    starts = instants("starts", [step.start for step in steps])
    cell = by_place(part, starts, ["amount"], ["name"]).cte("cell")
    ranked = _ranked(cell, split)
    named = case((ranked.c.rank <= TOP, cell.c.name), else_="")
    question = (
        select(cell.c.place, ranked.c.rank, named.label("name"), func.sum(cell.c.amount))
        .join_from(cell, ranked, ranked.c.name == cell.c.name)
        .group_by(cell.c.place, ranked.c.rank, named)
    )
    found: dict[tuple[int, str], list[Decimal]] = {}
    for place, rank, name, amount in totals.snapshot.connection.execute(question):
        costs = found.setdefault((rank, name), [ZERO] * len(steps))
        costs[place - 1] = trimmed(amount)
    parts = {place: costs for place, costs in sorted(found.items()) if any(costs)}
    names = _names(totals, [name for rank, name in parts if rank <= TOP], split)
    labels = told_apart(names)
    groups = []
    for (rank, key), costs in parts.items():
        rest = OTHER if rank == _OTHER else BASE_AND_TOOLS
        if rank > TOP:
            groups.append(Group(None, rest, rest, costs))
        elif key in names:
            groups.append(Group(key, names[key], labels[key], costs))
        else:
            groups.append(Group(key or DELETED, DELETED_WORKFLOW, DELETED_WORKFLOW, costs))
    return groups


def _ranked(cell: Any, split: Split) -> Any:
    """Rank the names of ``cell`` by cost; all beyond the first few are one."""
    by_cost = func.row_number().over(
        order_by=[func.sum(cell.c.amount).desc(), cell.c.name.collate("C")]
    )
    rank = case((by_cost <= TOP, by_cost), else_=_OTHER)
    names = select(cell.c.name, rank.label("rank")).group_by(cell.c.name)
    if split is Split.WORKFLOW:
        return names.cte("ranked")
    models = names.where(cell.c.name != "")
    rest = select(literal_column("''", Text), literal(_BASE_AND_TOOLS))
    return union_all(models, rest).cte("ranked")


def _parts(
    totals: Totals, selection: Selection, steps: Sequence[Span], split: Split
) -> list[Select[Any]]:
    """Select instant, name and dollars from every source that answers a part of ``steps``."""
    rollup = totals.rollup and not selection.filters
    parts: list[Select[Any]] = []
    for source, spans in spans_by_source(steps, rollup=rollup, sources=OF_GROUPS).items():
        if source is Source.EXECUTIONS:
            rows = _read(selection.executions, split, literal(1), selection.tables)
            parts.append(rows.where(selection.over(spans)))
            continue
        if source is Source.CHANGES:
            pending = changed_rows if split is Split.WORKFLOW else changed_states
            changed, sign = pending(totals.snapshot.revision)
            at, workspace_id = changed.started_at, changed.workspace_id
            rows = _read(changed, split, sign, changed.rows)
        else:
            table = tables.by_workflow if split is Split.WORKFLOW else tables.by_model
            at, workspace_id = table.c.start, table.c.workspace_id
            rows = _folded(table)
        within = or_(*((at >= span.start) & (at < span.end) for span in spans))
        parts.append(rows.where(workspace_id == selection.workspace_id, within))
    return parts


def _read(counted: Counted, split: Split, sign: ColumnElement[int], source: Any) -> Select[Any]:
    """Select what each row of ``source``, which holds ``counted``, costs."""
    at = counted.started_at.label("at")
    if split is Split.WORKFLOW:
        amount = added_by(counted)["cost"]
        name: ColumnElement[Any] = func.coalesce(counted.workflow_id, "").label("name")
        return select(at, name, (sign * amount).label("amount")).select_from(source)
    of_model = counted.shares
    return select(at, of_model.c.name, (sign * of_model.c.amount).label("amount")).select_from(
        source.join(of_model, true())
    )


def _folded(table: Table) -> Select[Any]:
    return select(table.c.start.label("at"), table.c.name, table.c.cost.label("amount"))


def _names(totals: Totals, keys: Sequence[str], split: Split) -> dict[str, str]:
    """Return the names of the parts by key, but for workflows whose rows are gone."""
    if split is Split.MODEL:
        return {key: key for key in keys}
    wanted = func.any(bindparam("ids", list(keys), type_=ARRAY(Text)))
    workflows = totals.snapshot.executions.workflows
    rows = totals.snapshot.connection.execute(
        select(workflows.c.id, workflows.c.name).where(workflows.c.id == wanted)
    )
    return {row.id: row.name for row in rows}


def folded_models(totals: Totals, workspace_id: str, window: Span) -> Sequence[str]:
    """Return the models that the rollup knows of a window, all but those of its ragged ends."""
    table = tables.by_model
    sources = spans_by_source([window], rollup=totals.rollup, sources=OF_GROUPS)
    for span in sources.get(Source.QUARTERS, []):
        found = totals.snapshot.connection.execute(
            select(table.c.name)
            .where(
                table.c.workspace_id == workspace_id,
                table.c.start >= span.start,
                table.c.start < span.end,
                table.c.name != "",
                # A longer one was cut there: it is no name of a model's.
                func.length(table.c.name) < LENGTH_AT_MOST,
            )
            .group_by(table.c.name)
        )
        return found.scalars().all()
    return []
