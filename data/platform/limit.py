"""What a payer may use in a billing period: the limit as it is set, or what the plan includes."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from data.platform.payer import PayerKind
from data.platform.subscription import ENTERPRISE, dollars_of
from data.rules.billing import LimitSource
from data.rules.money import ZERO, exact

# What a person without a plan may use.
_FREE: Final = Decimal(5)
# Whoever switches use on demand on gets this as his limit.
_NO_END: Final = Decimal(999_999)


@dataclass(frozen=True)
class Allowance:
    """What the platform stores of what a payer may use, in dollars; ``plan`` None: no subscription.

    ``limit`` is the usage limit as it is set, ``credit`` what was paid beforehand, each None where
    nothing is stored.
    """

    kind: PayerKind
    limit: Decimal | None
    credit: Decimal | None
    plan: str | None
    seats: int | None


def limit_of(allowance: Allowance, source: LimitSource) -> Decimal | None:
    """Return the limit in dollars, never below 0; None where no limit is set."""
    limit = _set(allowance) if source is LimitSource.ACCOUNT else _included(allowance)
    return None if limit is None else max(limit, ZERO)


def has_no_end(allowance: Allowance, source: LimitSource) -> bool:
    """Tell whether the limit stands for use on demand without an end.

    What a plan with a price includes has one, whatever is set.
    """
    as_set = source is LimitSource.ACCOUNT or allowance.plan == ENTERPRISE
    limit = allowance.limit
    return as_set and limit is not None and limit.is_finite() and limit >= _NO_END


def _set(allowance: Allowance) -> Decimal | None:
    limit = allowance.limit
    if limit is not None and not limit.is_finite():
        return ZERO if limit.is_signed() else None
    if allowance.kind is PayerKind.USER:
        return limit
    # An organization's plan is the least that it may use; an enterprise's has no price.
    return max(limit or ZERO, _of_plan(allowance))


def _included(allowance: Allowance) -> Decimal | None:
    included: Decimal | None = _of_plan(allowance)
    if allowance.plan == ENTERPRISE:
        included = _set(allowance)
    elif allowance.plan is None and allowance.kind is PayerKind.USER:
        included = _FREE
    if included is None or allowance.credit is None or not allowance.credit.is_finite():
        return included
    with exact():
        return included + allowance.credit


def _of_plan(allowance: Allowance) -> Decimal:
    if allowance.plan is None:
        return ZERO
    seats = max(allowance.seats or 1, 1) if allowance.kind is PayerKind.ORGANIZATION else 1
    with exact():
        return dollars_of(allowance.plan) * seats
