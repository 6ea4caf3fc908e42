from datetime import UTC
from decimal import Decimal

from data.rules.billing import BillingPeriod, PeriodKind, Terms
from data.rules.cycles import Endless, Months, Steps
from tests.support.platform import utc


def test_a_billing_period_is_the_calendar_month_with_its_limit_and_its_name() -> None:
    terms = Terms(Decimal(30), Months(UTC))
    assert terms.period_at(utc("2026-10-10 12:00")) == BillingPeriod(
        utc("2026-10-01"), utc("2026-11-01"), Decimal(30), "October"
    )


def test_the_billing_periods_of_some_instants_come_once_each_and_earliest_first() -> None:
    touched = [utc("2026-11-02"), utc("2026-09-30"), utc("2026-11-30"), utc("2026-09-01")]
    assert [period.name for period in Terms(None, Months(UTC)).periods_at(touched)] == [
        "September",
        "November",
    ]
    assert Terms(None, Months(UTC)).periods_at([]) == []


def test_a_period_of_a_subscription_says_so_and_whether_it_is_reconstructed() -> None:
    terms = Terms(Decimal(30), Steps.of(utc("2026-11-05"), None, None, UTC))
    before, stored = terms.periods_at([utc("2026-11-05"), utc("2026-11-04 23:59")])
    assert stored == BillingPeriod(
        utc("2026-11-05"), utc("2026-12-05"), Decimal(30), "5 Nov – 5 Dec", PeriodKind.SUBSCRIPTION
    )
    assert (before.name, before.reconstructed, before.endless) == ("5 Oct – 5 Nov", True, False)


def test_the_period_without_an_end_holds_every_instant() -> None:
    terms = Terms(None, Endless())
    [period] = terms.periods_at([utc("1970-01-01"), utc("2026-11-28"), utc("9998-12-31")])
    assert period.endless
    assert not terms.period_at(utc("2026-11-28")).reconstructed
