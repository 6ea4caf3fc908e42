"""Who pays for a workspace, and for which others: the SQL, and whoever was found."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Text,
    and_,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.sql.selectable import LateralFromClause

from data.platform.revision import Revision
from data.platform.schema import (
    member,
    organization,
    subscription,
    user,
    user_stats,
    workspace,
    workspace_organization_id,
)
from data.platform.subscription import IN_FORCE

# To viewers who may not know the amounts of an account it is no matter who the person is.
UNNAMED: Final = "the payer"


class PayerKind(StrEnum):
    """What pays."""

    USER = "user"
    ORGANIZATION = "organization"


@dataclass(frozen=True)
class Payer:
    """Who pays: an organization, or a person, by the name that the viewer may read."""

    kind: PayerKind
    id: str
    name: str


_PAID: Final = workspace.alias("paid")
_PAID_ORGANIZATION_ID: Final = literal_column("paid.organization_id", Text)


@dataclass(frozen=True)
class PaidBy:
    """How a statement over ``workspace`` finds who pays for it, on a platform of one revision.

    ``organization`` has what is known of the organization that pays, None where there are none;
    ``organization_id`` is NULL where a person does. ``tables`` has ``user`` and ``user_stats`` of
    the person that is billed.
    """

    tables: FromClause
    organization: LateralFromClause | None
    organization_id: ColumnElement[Any]
    paid: ColumnElement[bool]

    def covered(self) -> LateralFromClause:
        """Return the ``ids`` of all workspaces that are paid for, and whether all take keys."""
        return (
            select(
                func.array_agg(_PAID.c.id).label("ids"),
                func.bool_and(_PAID.c.allow_personal_api_keys).label("takes_keys"),
            )
            .where(self.paid)
            .lateral("covered")
        )


def paid_by(revision: Revision) -> PaidBy:
    """Return how it is found who pays.

    Where workspaces belong to organizations, that alone decides. Before, people without a limit
    stood for the organization of which they are members, if that has a subscription.
    """
    billed_id = workspace.c.billed_account_user_id
    tables = workspace.outerjoin(user, user.c.id == billed_id).outerjoin(
        user_stats, user_stats.c.user_id == billed_id
    )
    same_person = _PAID.c.billed_account_user_id == billed_id
    if not (revision.organizations or revision.subscriptions):
        return PaidBy(tables, None, null(), same_person)
    known = select(
        organization.c.id,
        organization.c.name,
        organization.c.org_usage_limit,
        organization.c.credit_balance,
    )
    if revision.organizations:
        paying = known.where(organization.c.id == workspace_organization_id).lateral("paying")
        paid = or_(
            workspace_organization_id == _PAID_ORGANIZATION_ID,
            and_(workspace_organization_id.is_(None), _PAID_ORGANIZATION_ID.is_(None), same_person),
        )
        return PaidBy(tables.outerjoin(paying, true()), paying, workspace_organization_id, paid)
    subscribes = exists(subscription.c.id).where(
        subscription.c.reference_id == organization.c.id, IN_FORCE
    )
    paying = (
        known.join_from(organization, member, member.c.organization_id == organization.c.id)
        .where(
            member.c.user_id == user_stats.c.user_id,
            user_stats.c.current_usage_limit.is_(None),
            subscribes,
        )
        .lateral("paying")
    )
    stats = user_stats.alias("stats")
    standing = (
        select(member.c.user_id)
        .join(stats, stats.c.user_id == member.c.user_id)
        .where(
            member.c.organization_id == paying.c.id,
            stats.c.current_usage_limit.is_(None),
        )
        .correlate(paying)
    )
    paid = or_(
        and_(paying.c.id.is_(None), same_person), _PAID.c.billed_account_user_id.in_(standing)
    )
    return PaidBy(tables.outerjoin(paying, true()), paying, paying.c.id, paid)
