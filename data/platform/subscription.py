"""The subscription that counts for a payer: the SQL, its plan's dollars, its billing periods."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, case, null, or_, select
from sqlalchemy.sql.selectable import LateralFromClause

from data.platform.revision import Revision
from data.platform.schema import subscription, subscription_billing_interval
from data.platform.selection import between
from data.rules.calendar import EVER
from data.rules.cycles import Cycle, Endless, Interval, Steps
from data.rules.money import ZERO

IN_FORCE: Final = subscription.c.status.in_(["active", "past_due"])
ENTERPRISE: Final = "enterprise"

# What plans with a number in their name cost: so many credits.
_CREDITS_A_DOLLAR: Final = 200
_CREDITS: Final = re.compile(r".*_0*([1-9][0-9]{0,14})")
_DOLLARS: Final = {"pro": Decimal(20), "team": Decimal(40)}
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PLAN: Final = subscription.c.plan


@dataclass(frozen=True)
class Subscription:
    """A payer's subscription.

    ``start`` and ``end`` are those of its stored period. ``reported_from`` is the day on which the
    reporting periods of an enterprise begin, ``reported_by`` their interval; both are what the
    platform stores as text, and may be anything.
    """

    plan: str
    seats: int | None
    start: datetime | None
    end: datetime | None
    interval: str | None
    reported_from: str | None
    reported_by: str | None

    @classmethod
    def read(cls, row: Any) -> Self | None:
        """Return that of a row of a statement that has ``best_of``; None where there is none."""
        if row.plan is None:
            return None
        return cls(
            *(row.plan, row.seats, row.period_start, row.period_end, row.billing_interval),
            *(row.reported_from, row.reported_by),
        )

    def cycle(self, zone: tzinfo, as_of: datetime) -> Cycle:
        """Return its billing periods, named by their days in ``zone``, as they are at ``as_of``."""
        interval = _interval(self.interval)
        day = _day(self.reported_from) if self.plan == ENTERPRISE else None
        reported_by = _interval(self.reported_by) or interval
        if day and day <= as_of and reported_by:
            return Steps.of(day, None, reported_by, zone)
        return Steps.of(self.start, self.end, interval, zone) if self.start else Endless()


def best_of(
    revision: Revision, payer_id: ColumnElement[Any], organization_id: ColumnElement[Any]
) -> LateralFromClause:
    """Select the subscription of a payer that counts, beside the row that has these columns.

    An organization's is the newest. A person's is the best plan's, and no other plan counts.
    """
    rank = case(
        (_PLAN == ENTERPRISE, 0),
        (or_(_PLAN == "team", _PLAN.startswith("team_", autoescape=True)), 1),
        (or_(_PLAN == "pro", _PLAN.startswith("pro_", autoescape=True)), 2),
    )
    of_person = case((organization_id.is_(None), rank))
    interval = subscription_billing_interval if revision.billing_intervals else null()
    metadata = subscription.c.metadata
    return (
        select(
            _PLAN,
            subscription.c.seats,
            _known(subscription.c.period_start),
            _known(subscription.c.period_end),
            interval.label("billing_interval"),
            metadata["reportingPeriodAnchorDate"].astext.label("reported_from"),
            metadata["reportingPeriodInterval"].astext.label("reported_by"),
        )
        .where(
            subscription.c.reference_id == payer_id,
            IN_FORCE,
            or_(organization_id.is_not(None), rank.is_not(None)),
        )
        .order_by(
            of_person,
            subscription.c.period_start.desc().nulls_last(),
            subscription.c.id.collate("C").desc(),
        )
        .limit(1)
        .lateral("best")
    )


def dollars_of(plan: str) -> Decimal:
    """Return the dollars of a plan, for a seat where it has seats.

    Source: the platform's own getPlanPricing, without what its environment may set.
    """
    kind = plan.partition("_")[0]
    if kind not in _DOLLARS:
        return ZERO
    credits_named = _CREDITS.fullmatch(plan)
    return Decimal(credits_named[1]) / _CREDITS_A_DOLLAR if credits_named else _DOLLARS[kind]


def _known(instant: ColumnElement[Any]) -> ColumnElement[Any]:
    # An instant such as infinity is none.
    return case((between(instant, EVER), instant)).label(str(instant.key))


def _interval(word: str | None) -> Interval | None:
    return Interval(word) if word in set(Interval) else None


def _day(word: str | None) -> datetime | None:
    if word is None or not _DAY.fullmatch(word):
        return None
    try:
        day = date.fromisoformat(word)
    except ValueError:
        return None
    return datetime.combine(day, time(), UTC)
