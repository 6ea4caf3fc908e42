"""One question of the page, put to the ledger."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from components.usage.state import refuse_other_frames
from components.usage.view import View
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.question.query import CURSOR_PARAMS, UsageQuery
from data.question.window import WINDOW_PARAMS
from data.rules.errors import BadRequestError
from settings import Settings


def answer(
    ledger: Ledger,
    viewer: Viewer,
    workspace_id: str,
    asked: Mapping[str, list[str]],
    *,
    pinned: Mapping[str, list[str]] | None,
    frame: Mapping[str, str],
    settings: Settings,
) -> View:
    """Ask the ledger for what ``asked`` says; ``pinned`` is a window that stays as it is."""
    now = datetime.now(UTC)
    try:
        refuse_other_frames(asked)
        query = UsageQuery.parse(asked, workspace_id=workspace_id, now=now, zone=ledger.zone)
    except BadRequestError:
        # Where there is nothing to see, that is the answer, however the question was put.
        ledger.account(viewer, workspace_id)
        raise
    if pinned:
        kept = UsageQuery.parse(pinned, workspace_id=workspace_id, now=now, zone=ledger.zone)
        query = replace(query, window=replace(kept.window, preset=query.window.preset))
    page, workspaces = ledger.page_shown(viewer, query)
    params = {name: words[0] for name, words in asked.items() if name in WINDOW_PARAMS}
    if not params and query.window.preset:
        params = {"preset": query.window.preset.value}
    cursor = {name: words[0] for name, words in asked.items() if name in CURSOR_PARAMS}
    # The first page needs none, and may not be the one that was asked for.
    cursor = cursor if page.previous_cursor else {}
    filters = query.filters.params()
    return View(page, workspaces, params, filters, cursor, frame, settings)
