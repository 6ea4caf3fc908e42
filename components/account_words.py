"""How an account is spoken of: who pays, his billing periods, his limit; pure."""

from components import formats
from data.platform.payer import UNNAMED, Payer, PayerKind
from data.rules.billing import BillingPeriod, PeriodKind, Terms
from data.rules.shown import named

RECONSTRUCTED = "The platform keeps no earlier periods: they are reconstructed from the current one"


def name_of(payer: Payer) -> str:
    """Name who pays: ``Acme (organization)``, ``Dana Weiss``, ``the payer``."""
    return named(payer.name) + (" (organization)" if payer.kind is PayerKind.ORGANIZATION else "")


def pays(payer: Payer) -> str:
    """Name who pays as the one who pays: ``Dana Weiss, who pays for this workspace``."""
    if payer.name == UNNAMED:
        return "whoever pays for this workspace"
    who = "which" if payer.kind is PayerKind.ORGANIZATION else "who"
    return f"{name_of(payer)}, {who} pays for this workspace"


def limit_of(terms: Terms) -> str:
    """Name the limit of a period: ``limit $500.00``."""
    if terms.limit is None:
        return "no limit set"
    return "no end set" if terms.no_end else f"limit {formats.limit_dollars(terms.limit)}"


def during(period: BillingPeriod) -> str:
    """Say when something was: ``in November``, ``in the period 5 Nov – 5 Dec``."""
    if period.endless:
        return period.name
    return f"in {_named(period)}"


def earlier_in(period: BillingPeriod) -> str:
    """Name what was before in a period: ``Earlier executions of November``."""
    of_it = "" if period.endless else f" of {_named(period)}"
    return f"Earlier executions{of_it}"


def each_period(period: BillingPeriod) -> str:
    """Say what a running total is of, for every period like ``period``."""
    if period.endless:
        return period.name
    return f"per {'month' if period.kind is PeriodKind.MONTH else 'billing period'}"


def _named(period: BillingPeriod) -> str:
    return period.name if period.kind is PeriodKind.MONTH else f"the period {period.name}"
