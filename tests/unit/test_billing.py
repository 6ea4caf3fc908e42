from datetime import UTC
from decimal import Decimal

from data.rules.billing import BillingPeriod, Terms
from tests.support.platform import utc


def test_a_billing_period_is_the_calendar_month_with_its_limit_and_its_name() -> None:
    terms = Terms(Decimal(30), UTC)
    assert terms.period_at(utc("2026-10-10 12:00")) == BillingPeriod(
        utc("2026-10-01"), utc("2026-11-01"), Decimal(30), "October"
    )


def test_the_billing_periods_of_some_instants_come_once_each_and_earliest_first() -> None:
    touched = [utc("2026-11-02"), utc("2026-09-30"), utc("2026-11-30"), utc("2026-09-01")]
    assert [period.name for period in Terms(None, UTC).periods_at(touched)] == [
        "September",
        "November",
    ]
    assert Terms(None, UTC).periods_at([]) == []
