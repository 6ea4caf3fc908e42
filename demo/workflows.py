"""Which workflows the demo has, and how the executions of each come about."""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Final, NamedTuple

from sqlalchemy import Connection, insert

from data.platform import schema
from demo.accounts import ARCHIVED_AGO, FINANCE, PARTNERS, PILOT, RESEARCH, SUPPORT, VIEWER
from demo.rhythm import Rhythm, first_day


class Recipe(NamedTuple):
    """A workflow and how its executions come about.

    ``share`` is its part of all executions in thousandths; ``tokens`` are the usual counts of input
    and output; a name of None is a workflow whose row is gone.
    """

    workspace: str
    share: int
    name: str | None
    tokens: tuple[int, int]
    models: tuple[str, ...]
    rhythm: Rhythm = "office"
    triggers: tuple[str, ...] = ("api", "manual", "webhook")
    archived: bool = False


class Workflow(NamedTuple):
    """A recipe with the id of its row, None if that is gone."""

    recipe: Recipe
    id: str | None


_BY_CLOCK: Final = ("schedule",)
_CHEAP: Final = ("gpt-4o-mini", "gemini-2.5-flash", "claude-haiku-4-5")
_GOOD: Final = ("gpt-4o", "claude-sonnet-4-5", "gpt-4.1", "gpt-4o-mini")
_DEEP: Final = ("gemini-2.5-pro", "o4-mini", "deepseek-r1", "claude-sonnet-4-5")
_LOCAL: Final = ("llama3.3:70b",)

_AWKWARD: Final = (
    'Say "hello", then reply',
    "Two lines\nin one name",
    '=HYPERLINK("http://example.invalid","Open me")',
    "+1 800 call-back",
    "-2 days reminder",
    "@mention watcher",
    "**bold** [link](javascript:alert(1)) ![x](https://example.invalid/p.png)",
    "<b>Bold</b><script>alert(1)</script>",
    "A workflow of exactly two hundred characters, "
    + "which goes on and on and on, " * 5
    + "and ends.",
    "مراجعة طلبات الاسترداد",
    "בדיקת חשבוניות",
    "Parcel tracker 📦🚚",
)

RECIPES: Final = (
    Recipe(SUPPORT, 170, "Ticket triage", (14_000, 700), _GOOD, "office", ("webhook", "api")),
    Recipe(SUPPORT, 120, "Reply drafts", (26_000, 2_600), _GOOD, "office", ("chat", "manual")),
    Recipe(SUPPORT, 80, "Lead enrichment", (21_000, 1_500), _GOOD, "always", ("api", "mcp")),
    Recipe(SUPPORT, 70, "Refund review", (38_000, 2_400), _DEEP),
    Recipe(SUPPORT, 60, "Knowledge base answers", (30_000, 1_100), _CHEAP, "always", ("chat",)),
    Recipe(SUPPORT, 45, "Invoice intake", (17_000, 1_200), _CHEAP, "office", ("webhook",)),
    Recipe(SUPPORT, 35, "Nightly mailbox sweep", (60_000, 3_000), _CHEAP, "night", _BY_CLOCK),
    Recipe(SUPPORT, 25, "Call transcripts", (52_000, 4_000), _LOCAL, "night", _BY_CLOCK),
    Recipe(SUPPORT, 24, "Conversation audit", (140_000, 9_000), _DEEP, "night", _BY_CLOCK),
    Recipe(SUPPORT, 1, "Weekly board digest", (190_000, 12_000), _DEEP, "office", _BY_CLOCK),
    Recipe(SUPPORT, 15, "Invoice intake", (19_000, 1_000), _GOOD),  # a second of this name
    Recipe(SUPPORT, 12, "Old FAQ bot", (9_000, 600), _CHEAP, "always", ("chat",), archived=True),
    Recipe(SUPPORT, 13, None, (16_000, 900), _GOOD),
    *(Recipe(SUPPORT, 3, name, (15_000, 900), _GOOD) for name in _AWKWARD),
    Recipe(FINANCE, 50, "Invoice intake", (22_000, 1_500), _GOOD, "office", ("webhook", "api")),
    Recipe(FINANCE, 35, "Vendor onboarding, EMEA", (45_000, 3_000), _DEEP),
    Recipe(FINANCE, 30, "Nightly ledger check", (80_000, 4_500), _DEEP, "night", _BY_CLOCK),
    Recipe(FINANCE, 20, "Expense questions", (8_000, 500), _CHEAP, "office", ("chat", "mcp")),
    Recipe(FINANCE, 5, None, (12_000, 800), _CHEAP),
    Recipe(RESEARCH, 50, "Paper summaries", (90_000, 5_000), _DEEP, "always", ("api", "manual")),
    Recipe(RESEARCH, 25, "Benchmark runner", (30_000, 6_000), (*_GOOD, *_LOCAL), "night"),
    Recipe(PARTNERS, 45, "Partner catalogue sync", (33_000, 2_000), _GOOD, "night", _BY_CLOCK),
    Recipe(
        PILOT, 34, "Pilot assistant", (18_000, 1_300), _GOOD, "office", ("chat",), archived=True
    ),
)


def draw_workflows(rng: Random) -> list[Workflow]:
    """Give every recipe its id."""
    return [Workflow(each, draw_id(rng) if each.name else None) for each in RECIPES]


def insert_workflows(connection: Connection, now: datetime, workflows: Sequence[Workflow]) -> None:
    """Insert the workflows whose row is not gone."""
    then = first_day(now).replace(tzinfo=UTC)
    archived = now.replace(tzinfo=UTC) - ARCHIVED_AGO
    rows = [
        {
            "id": each.id,
            "user_id": VIEWER,
            "name": each.recipe.name,
            "workspace_id": each.recipe.workspace,
            "archived_at": archived if each.recipe.archived else None,
            "last_synced": then,
            "created_at": then,
            "updated_at": then,
        }
        for each in workflows
        if each.id
    ]
    connection.execute(insert(schema.workflow), rows)


def draw_id(rng: Random) -> str:
    """Draw a version 4 UUID as text."""
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
