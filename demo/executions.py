"""The demo's executions as the platform would have written them: a few curious, most ordinary."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, chain, repeat
from random import Random
from typing import Final

from demo.accounts import ARCHIVED_AGO, FINANCE, PARTNERS, SUPPORT
from demo.costs import ABSURD, BASE_CHARGE, RARE, ModelUse, cost_text, use
from demo.rhythm import HOURS, Rhythm, Slots
from demo.workflows import RECIPES, Recipe, Workflow, draw_id

# One row for COPY, in the order of COLUMNS; cost is JSON text, times are naive UTC.
Row = tuple[str | int | datetime | None, ...]

COLUMNS: Final = (
    *("id", "workflow_id", "execution_id", "level", "trigger", "started_at", "ended_at"),
    *("total_duration_ms", "created_at", "cost", "workspace_id", "status"),
)

_TAIL: Final = 0.95  # sigma of the lognormal token counts; the month's sum hangs on it
_TOOLS: Final = 0.04  # so many model uses call a tool that costs something

# How executions end, in thousandths; "refused" is a failure before the start.
_OUTCOMES: Final = ("completed", "failed", "refused", "cancelled", "pending")
_OUTCOME_SHARES: Final = tuple(accumulate((938, 40, 4, 12, 6)))
_RECIPE_SHARES: Final = tuple(accumulate(recipe.share for recipe in RECIPES))

# Executions of several workspaces that began in the same microsecond, so long ago.
_TIED: Final = (SUPPORT, SUPPORT, FINANCE, SUPPORT, PARTNERS, FINANCE)
_TIED_AGO: Final = tuple(timedelta(days=days, hours=3, microseconds=587) for days in (0, 2, 6, 19))
# Ids are mostly UUIDs; the first of the tied have these, which a locale would order otherwise.
_ODD_IDS: Final = ("exec_42", "EXEC_42", "01KAPJ3Q8Z6W9T2M4N5R7V0XYB", "~last", "exec-42", "0")
_RUNNING_AGO: Final = tuple(timedelta(seconds=ago) for ago in (11.417, 34.9, 52.034, 95.6, 240.2))
_RARE_COPIES: Final = 3
_RARE_SINCE: Final = timedelta(hours=2, milliseconds=271)
_RARE_SPAN: Final = timedelta(days=28)


def executions_of(
    rng: Random, now: datetime, workflows: Sequence[Workflow], executions: int
) -> Iterator[Row]:
    """Give the executions one by one, in no order of time: the curious ones, then the ordinary."""
    special = [*_tied(rng, now, workflows), *_rare(rng, now, workflows)]
    special += _running(rng, now, workflows)
    if executions < len(special):
        raise ValueError(f"Demo data has at least {len(special)} executions, not {executions}.")
    return chain(special, _ordinary(rng, now, workflows, executions - len(special)))


def _ordinary(
    rng: Random, now: datetime, workflows: Sequence[Workflow], count: int
) -> Iterator[Row]:
    slots: dict[Rhythm, Slots] = {rhythm: Slots.until(now, rhythm) for rhythm in HOURS}
    for _ in range(count):
        workflow = rng.choices(workflows, cum_weights=_RECIPE_SHARES)[0]
        recipe = workflow.recipe
        started = slots[recipe.rhythm].draw(rng)
        while recipe.archived and started >= now - ARCHIVED_AGO:
            started = slots[recipe.rhythm].draw(rng)
        yield _execution(rng, now, workflow, started)


def _tied(rng: Random, now: datetime, workflows: Sequence[Workflow]) -> Iterator[Row]:
    ids: Iterator[str | None] = chain(_ODD_IDS, repeat(None))
    for ago in _TIED_AGO:
        for workspace in _TIED:
            row = _execution(rng, now, _pick(rng, workflows, workspace), now - ago)
            odd = next(ids)
            yield row if odd is None else (odd, row[1], odd, *row[3:])


def _rare(rng: Random, now: datetime, workflows: Sequence[Workflow]) -> Iterator[Row]:
    """Give every shape of cost a few times, in turn, over the last four weeks; the absurd once."""
    again = [text for name, text in RARE.items() if name != ABSURD]
    texts = [*RARE.values(), *again * (_RARE_COPIES - 1)]
    for position, cost in enumerate(texts):
        ago = _RARE_SINCE + _RARE_SPAN * position / len(texts)
        yield _row(
            rng,
            _pick(rng, workflows, SUPPORT),
            _to_milliseconds(now - ago),
            milliseconds=4_321,
            status="failed" if cost is None else "completed",
            cost=cost,
        )


def _running(rng: Random, now: datetime, workflows: Sequence[Workflow]) -> Iterator[Row]:
    """Give those under way: the newest with the base charge alone, others with what they spent."""
    for ago in _RUNNING_AGO:
        workflow = _pick(rng, workflows, SUPPORT)
        spent = [] if ago < timedelta(minutes=1) else _uses(rng, workflow.recipe)[:1]
        started = _to_milliseconds(now - ago)
        cost = cost_text(spent)
        yield _row(rng, workflow, started, milliseconds=None, status="running", cost=cost)


def _pick(rng: Random, workflows: Sequence[Workflow], workspace: str) -> Workflow:
    """Draw one of the workspace's living workflows, the busy ones more often."""
    living = [
        each
        for each in workflows
        if each.recipe.workspace == workspace and not each.recipe.archived
    ]
    return rng.choices(living, weights=[each.recipe.share for each in living])[0]


def _execution(rng: Random, now: datetime, workflow: Workflow, started: datetime) -> Row:
    """One execution as the platform would have written it by ``now``."""
    uses = _uses(rng, workflow.recipe)
    status = rng.choices(_OUTCOMES, cum_weights=_OUTCOME_SHARES)[0]
    # About 9 ms for each token that a model writes.
    milliseconds: int | None = 350 + 9 * sum(each.tokens_out for each in uses) + rng.randrange(900)
    base = BASE_CHARGE
    if started + timedelta(milliseconds=milliseconds or 0) > now:
        status, milliseconds, uses = "running", None, uses[:-1]
    elif status == "refused":
        status, milliseconds, uses, base = "failed", 12, [], 0
    elif status == "cancelled":
        uses = []
    elif status == "failed":
        uses = uses[: rng.randrange(len(uses) + 1)]
    cost = cost_text(uses, base=base)
    return _row(rng, workflow, started, milliseconds=milliseconds, status=status, cost=cost)


def _uses(rng: Random, recipe: Recipe) -> list[ModelUse]:
    """Draw which models work and how much: mostly one, and a long tail of tokens."""
    count = min(len(recipe.models), rng.choices((1, 2, 3), cum_weights=(75, 95, 100))[0])
    return [
        use(
            model,
            int(recipe.tokens[0] * rng.lognormvariate(0, _TAIL)),
            int(recipe.tokens[1] * rng.lognormvariate(0, _TAIL)),
            tool_usd=rng.randrange(1, 5) * 0.005 if rng.random() < _TOOLS else 0.0,
        )
        for model in rng.sample(recipe.models, count)
    ]


def _row(
    rng: Random,
    workflow: Workflow,
    started: datetime,
    *,
    milliseconds: int | None,
    status: str,
    cost: str | None,
) -> Row:
    """Put a row together; ``milliseconds`` is how long it took, None if it has not ended."""
    ended = None if milliseconds is None else started + timedelta(milliseconds=milliseconds)
    level = "error" if status == "failed" else "info"
    recipe = workflow.recipe
    return (
        *(
            draw_id(rng),
            workflow.id,
            draw_id(rng),
            level,
            rng.choice(recipe.triggers),
            started,
            ended,
        ),
        *(milliseconds, started, cost, recipe.workspace, status),
    )


def _to_milliseconds(moment: datetime) -> datetime:
    """Cut off what the platform's clock does not know."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
