"""The account that pays for a workspace, and by which terms."""

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Select, bindparam, false, func, null, true

from data.platform.access import (
    ID_LENGTH_AT_MOST,
    Kind,
    Viewer,
    Workspace,
    administers,
    ids_of,
    kind_of,
    may_know_amounts,
    visible_to,
)
from data.platform.limit import Allowance, has_no_end, limit_of
from data.platform.payer import UNNAMED, Payer, PayerKind, paid_by
from data.platform.revision import Revision
from data.platform.schema import user, user_stats, workspace
from data.platform.snapshot import Snapshot
from data.platform.subscription import Subscription, best_of
from data.platform.types import UtcTimestamp
from data.question.filters import is_text
from data.rules.billing import Billing, LimitScope, PeriodKind, Terms
from data.rules.cycles import Cycle, Endless, Months
from data.rules.errors import NotFoundError
from data.rules.shown import quoted

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    """Who pays for a workspace today, and what the running total covers.

    ``workspace_ids`` are those whose executions count; ``as_of`` is the instant of the snapshot:
    whatever was written by then is in it. ``tells_amounts`` says whether the viewer may know the
    running total.
    """

    workspace: Workspace
    payer: Payer
    terms: Terms
    workspace_ids: tuple[str, ...]
    as_of: datetime
    tells_amounts: bool


def account_of(snapshot: Snapshot, viewer: Viewer, workspace_id: str, billing: Billing) -> Account:
    """Return the account that pays for a workspace, billed by the rules of ``billing``.

    Raises NotFoundError, always the same, where the viewer may not see the workspace, it is
    archived, or there is none.
    """
    if not is_text(workspace_id) or not 0 < len(workspace_id) <= ID_LENGTH_AT_MOST:
        raise _refused(viewer, workspace_id)
    row = snapshot.connection.execute(
        _account_of(kind_of(snapshot, viewer), snapshot.revision),
        ids_of(viewer) | {"workspace_id": workspace_id},
    ).one_or_none()
    if row is None:
        raise _refused(viewer, workspace_id)
    by_person = row.organization_id is None
    told = may_know_amounts(
        viewer,
        pays=by_person and viewer.user_id == row.billed_account_user_id,
        administers=row.administers,
        takes_keys=row.takes_keys,
    )
    alone = billing.scope is LimitScope.WORKSPACE
    return Account(
        Workspace(row.id, row.name),
        _payer(row, named=told),
        _terms(row, billing),
        (row.id,) if alone else tuple(row.covered),
        row.as_of,
        # Alone, the running total speaks of nothing that the viewer cannot see.
        alone or told,
    )


def _payer(row: Any, *, named: bool) -> Payer:
    if row.organization_id is not None:
        name = row.organization_name or row.organization_id
        return Payer(PayerKind.ORGANIZATION, row.organization_id, name)
    billed_id = row.billed_account_user_id
    name = (row.person or row.email or billed_id) if named else UNNAMED
    return Payer(PayerKind.USER, billed_id, name)


def _terms(row: Any, billing: Billing) -> Terms:
    subscription = Subscription.read(row)
    plan, seats = (subscription.plan, subscription.seats) if subscription else (None, None)
    kind, stored = PayerKind.USER, (row.current_usage_limit, row.credit)
    if row.organization_id is not None:
        kind, stored = PayerKind.ORGANIZATION, (row.org_usage_limit, row.credit_of_organization)
    allowance = Allowance(kind, *stored, plan, seats)
    cycle: Cycle = Months(billing.zone)
    if billing.period is PeriodKind.SUBSCRIPTION:
        cycle = subscription.cycle(billing.zone, row.as_of) if subscription else Endless()
    source = billing.limit_source
    return Terms(limit_of(allowance, source), cycle, has_no_end(allowance, source))


@cache
def _account_of(kind: Kind, revision: Revision) -> Select[Any]:
    by = paid_by(revision)
    covered = by.covered()
    tables = by.tables.join(covered, true())
    columns = [
        by.organization_id.label("organization_id"),
        workspace.c.billed_account_user_id,
        user.c.name.label("person"),
        user.c.email,
        user_stats.c.current_usage_limit,
        covered.c.ids.label("covered"),
        covered.c.takes_keys,
        func.timezone("UTC", func.now(), type_=UtcTimestamp).label("as_of"),
    ]
    if by.organization is None:
        columns += [null().label("plan"), null().label("credit"), false().label("administers")]
    else:
        payer_id = func.coalesce(by.organization_id, workspace.c.billed_account_user_id)
        best = best_of(revision, payer_id, by.organization_id)
        tables = tables.outerjoin(best, true())
        columns += [
            *best.c,
            by.organization.c.name.label("organization_name"),
            by.organization.c.org_usage_limit,
            by.organization.c.credit_balance.label("credit_of_organization"),
            user_stats.c.credit_balance.label("credit"),
            administers(by.organization_id).label("administers"),
        ]
    asked = visible_to(kind).where(workspace.c.id == bindparam("workspace_id"))
    return asked.select_from(tables).add_columns(*columns)


def _refused(viewer: Viewer, workspace_id: str) -> NotFoundError:
    _LOG.info("refused: %s may not see workspace %s", viewer.name, quoted(workspace_id))
    return NotFoundError(
        "There is no such workspace among yours. Check its id, or ask its owner for access.",
        param="workspaceId",
    )
