"""Who pays for a workspace, up to which limit, by which periods: a table of terms made by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from data.platform.access import Viewer
from data.platform.payer import PayerKind
from data.platform.snapshot import Snapshot
from data.platform.terms import Account, account_of
from data.question.query import UsageQuery
from data.rules.billing import Billing, BillingPeriod, LimitSource, PeriodKind
from data.rules.calendar import EVER
from data.rules.errors import UnavailableError
from tests.support.platform import (
    ALWAYS,
    FOUNDED,
    PAYER,
    VIEWER,
    WORKSPACE,
    Platform,
    Run,
    first_page,
    labels,
    utc,
)
from tests.support.signing import own_platform

NEW_YORK: Final = ZoneInfo("America/New_York")
KOLKATA: Final = ZoneInfo("Asia/Kolkata")
PLAN: Final = Billing(UTC, limit_source=LimitSource.PLAN)
BY_MONTH: Final = Billing(UTC)
BY_SUBSCRIPTION: Final = Billing(UTC, period=PeriodKind.SUBSCRIPTION)


@pytest.fixture(scope="module")
def later_platform(cluster: str) -> Iterator[Platform]:
    with own_platform(cluster, later=True) as platform:
        yield platform


@pytest.fixture(params=["first generation", "second generation"])
def either(request: pytest.FixtureRequest) -> Platform:
    """Return a platform of either generation, empty."""
    second = request.param == "second generation"
    found: Platform = request.getfixturevalue("later_platform" if second else "stage")
    found.clear()
    return found


@pytest.fixture
def later(later_platform: Platform) -> Platform:
    later_platform.clear()
    return later_platform


def account(
    platform: Platform,
    billing: Billing = BY_MONTH,
    viewer: Viewer = VIEWER,
    workspace: str = WORKSPACE,
) -> Account:
    with platform.reader.connect() as connection:
        return account_of(Snapshot.of(connection), viewer, workspace, billing)


def is_later(platform: Platform) -> bool:
    with platform.reader.connect() as connection:
        return Snapshot.of(connection).revision.organizations


def put_into(platform: Platform, organization: str | None, *workspaces: str) -> None:
    """Let an organization pay, in the second generation, which alone says so of workspaces."""
    if is_later(platform):
        platform.sql(
            "UPDATE workspace SET organization_id = :to WHERE id = ANY(:which)",
            to=organization,
            which=list(workspaces or (WORKSPACE,)),
        )


@dataclass(frozen=True)
class Stored:
    """A subscription: its plan, and whatever else is stored of it."""

    plan: str
    status: str = "active"
    columns: dict[str, Any] = field(default_factory=dict)


def started(day: str) -> dict[str, Any]:
    return {"period_start": utc(day)}


def seats(number: int | None) -> dict[str, Any]:
    return {"seats": number}


# A person: the limit that is set, the credit, the subscriptions; the limit with each source.
PEOPLE: Final[dict[str, tuple[str | None, str, Sequence[Stored], str | None, str]]] = {
    "free": ("5", "0", [], "5", "5"),
    "free, with credit": ("12.5", "7.5", [], "12.5", "12.5"),
    "nothing set": (None, "0", [], None, "5"),
    "negative": ("-3", "0", [], "0", "5"),
    "infinite": ("Infinity", "0", [], None, "5"),
    "not a number": ("NaN", "NaN", [], None, "5"),
    "pro": ("20", "0", [Stored("pro")], "20", "20"),
    "pro with credits": ("95.75", "10.25", [Stored("pro_6000")], "95.75", "40.25"),
    "max": ("125", "0", [Stored("pro_25000")], "125", "125"),
    "on demand without an end": ("999999", "0", [Stored("pro_6000")], "999999", "30"),
    "a team's plan, whatever its seats": (
        "40",
        "0",
        [Stored("team", "active", seats(3))],
        "40",
        "40",
    ),
    "past due": ("40", "0", [Stored("pro_6000", "past_due")], "40", "30"),
    "cancelled": ("5", "0", [Stored("pro_6000", "canceled")], "5", "5"),
    "trialing, unpaid": ("5", "0", [Stored("pro", "trialing"), Stored("team", "unpaid")], "5", "5"),
    "the best plan of several, not the newest": (
        *("50", "0"),
        [
            Stored("pro_25000", "active", started("2026-11-20")),
            Stored("team_6000", "past_due", started("2026-01-01")),
        ],
        *("50", "30"),
    ),
    "a plan that is none": ("7", "0", [Stored("starter_6000"), Stored("process")], "7", "5"),
    "a plan without a number": ("7", "0", [Stored("pro_plus")], "7", "20"),
    "an enterprise of one": ("70", "1", [Stored("pro"), Stored("enterprise")], "70", "71"),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_the_limit_of_a_person_is_as_it_is_set_or_what_the_plan_includes(
    either: Platform, name: str
) -> None:
    limit, credit, subscriptions, as_set, included = PEOPLE[name]
    either.account(limit)
    either.sql("UPDATE user_stats SET credit_balance = :credit", credit=Decimal(credit))
    for each in subscriptions:
        either.subscription(PAYER, each.plan, each.status, **each.columns)
    by_account, by_plan = account(either).terms, account(either, PLAN).terms
    assert by_account.limit == (None if as_set is None else Decimal(as_set))
    assert by_plan.limit == Decimal(included)
    assert by_account.no_end == (name == "on demand without an end")
    assert not by_plan.no_end
    assert account(either).payer.kind is PayerKind.USER


def test_a_person_of_whom_no_limit_is_known_has_none(either: Platform) -> None:
    either.account(stats=False)
    assert account(either).terms.limit is None
    assert account(either, PLAN).terms.limit == 5


# An organization: likewise.
ORGANIZATIONS: Final[dict[str, tuple[str | None, str, Sequence[Stored], str, str]]] = {
    "enterprise": ("500", "0", [Stored("enterprise")], "500", "500"),
    "enterprise, with credit": ("500", "20.5", [Stored("enterprise")], "500", "520.5"),
    "enterprise, nothing set": (None, "0", [Stored("enterprise")], "0", "0"),
    "enterprise, whatever its seats": (
        *("10", "0", [Stored("enterprise", "active", seats(9))]),
        *("10", "10"),
    ),
    "team, three seats": (None, "0", [Stored("team", "active", seats(3))], "120", "120"),
    "team, more is set": ("200", "0", [Stored("team", "active", seats(3))], "200", "120"),
    "team, less is set": ("95.75", "5", [Stored("team_6000", "active", seats(4))], "120", "125"),
    "seats NULL": ("95.75", "0", [Stored("team_6000")], "95.75", "30"),
    "seats 0": ("2", "0", [Stored("team_6000", "active", seats(0))], "30", "30"),
    "a person's plan": (None, "0", [Stored("pro_6000", "active", seats(2))], "60", "60"),
    "on demand without an end": (
        *("1000000", "0", [Stored("team", "active", seats(2))]),
        *("1000000", "80"),
    ),
    "negative": ("-1", "0", [Stored("enterprise")], "0", "0"),
    "the newest of several, not the best": (
        *("1", "0"),
        [
            Stored("enterprise", "active", started("2026-01-01")),
            Stored("team_6000", "past_due", started("2026-11-20")),
            Stored("team_25000", "canceled", started("2026-11-27")),
            Stored("team", "active"),
        ],
        *("30", "30"),
    ),
}
WITHOUT: Final[dict[str, tuple[str | None, str, Sequence[Stored], str, str]]] = {
    "no subscription": ("95.75", "3", [], "95.75", "3"),
    "no subscription, nothing set": (None, "0", [], "0", "0"),
    "a cancelled one": (None, "0", [Stored("team", "canceled", seats(3))], "0", "0"),
}


def organized(
    platform: Platform, limit: str | None, credit: str, subscriptions: Sequence[Stored]
) -> None:
    """Make the organization that pays for the workspace, billed to a member without a limit."""
    platform.account(None)
    platform.organization("acme", limit)
    platform.member(PAYER, "acme")
    platform.sql("UPDATE organization SET credit_balance = :credit", credit=Decimal(credit))
    for each in subscriptions:
        platform.subscription("acme", each.plan, each.status, **each.columns)
    put_into(platform, "acme")


@pytest.mark.parametrize("name", ORGANIZATIONS)
def test_the_limit_of_an_organization_is_at_least_its_plan(either: Platform, name: str) -> None:
    limit, credit, subscriptions, as_set, included = ORGANIZATIONS[name]
    organized(either, limit, credit, subscriptions)
    found = account(either)
    assert (found.payer.kind, found.payer.name) == (PayerKind.ORGANIZATION, "Acme")
    assert found.terms.limit == Decimal(as_set)
    assert found.terms.no_end == (name == "on demand without an end")
    assert account(either, PLAN).terms.limit == Decimal(included)


@pytest.mark.parametrize("name", WITHOUT)
def test_without_a_subscription_an_organization_has_what_is_set_for_it(
    later: Platform, name: str
) -> None:
    limit, credit, subscriptions, as_set, included = WITHOUT[name]
    organized(later, limit, credit, subscriptions)
    assert account(later).payer.id == "acme"
    assert account(later).terms.limit == Decimal(as_set)
    assert account(later, PLAN).terms.limit == Decimal(included)


@pytest.mark.parametrize("name", WITHOUT)
def test_before_an_organization_without_a_subscription_paid_for_nobody(
    platform: Platform, name: str
) -> None:
    limit, credit, subscriptions, _, _ = WITHOUT[name]
    organized(platform, limit, credit, subscriptions)
    assert account(platform).payer.id == PAYER
    assert account(platform).terms.limit is None


def test_before_members_without_a_limit_stood_together_for_their_organization(
    platform: Platform,
) -> None:
    organized(platform, "100", "0", [Stored("enterprise")])
    platform.organization("other")
    platform.subscription("other", "team")
    # Billed are: another member; one with a limit of his own; one whose limit nobody knows; one of
    # another organization; and somebody who is a member of none.
    people: dict[str, tuple[str | None, int | None, bool]] = {
        "member": ("acme", None, True),
        "with-limit": ("acme", 3, True),
        "without-stats": ("acme", None, False),
        "elsewhere": ("other", None, True),
        "alone": (None, None, True),
    }
    for person, (organization, limit, stats) in people.items():
        platform.account(limit, f"of-{person}", payer=person, stats=stats)
        if organization:
            platform.member(person, organization, "owner")
    platform.archive("of-member")
    assert set(account(platform).workspace_ids) == {WORKSPACE, "of-member"}
    payers = {
        person: account(platform, workspace=f"of-{person}").payer.id
        for person in people
        if person != "member"
    }
    assert payers == {
        "with-limit": "with-limit",
        "without-stats": "without-stats",
        "elsewhere": "other",
        "alone": "alone",
    }
    assert account(platform, workspace="of-with-limit").workspace_ids == ("of-with-limit",)


def test_the_workspaces_organization_alone_decides_where_there_is_one(later: Platform) -> None:
    organized(later, "100", "0", [Stored("enterprise")])
    later.organization("other", "7")
    # Billed to the same person, who is a member of acme, and to somebody else.
    for name in ("his-own", "of-other", "also-of-acme"):
        later.workspace(name)
        later.grant(VIEWER.user_id or "", name)
    later.account(9, "hers", payer="her")
    put_into(later, "other", "of-other")
    put_into(later, "acme", "also-of-acme", "hers")
    later.archive("also-of-acme")
    assert set(account(later).workspace_ids) == {WORKSPACE, "also-of-acme", "hers"}
    assert account(later, workspace="hers").payer.id == "acme"
    assert account(later, workspace="hers").terms.limit == 100
    assert account(later, workspace="of-other").workspace_ids == ("of-other",)
    assert account(later, workspace="of-other").terms.limit == 7
    own = account(later, workspace="his-own")
    assert (own.payer.id, own.terms.limit, own.workspace_ids) == (PAYER, None, ("his-own",))


def test_where_there_are_no_organizations_people_pay(cluster: str) -> None:
    with own_platform(cluster) as bare:
        bare.sql("DROP TABLE organization, member, subscription CASCADE")
        bare.sql("ALTER TABLE user_stats DROP credit_balance")
        bare.account(9, WORKSPACE, "second")
        found = account(bare, viewer=Viewer(VIEWER.user_id))
        assert (found.payer.id, found.terms.limit) == (PAYER, Decimal(9))
        assert set(found.workspace_ids) == {WORKSPACE, "second"}
        assert account(bare, PLAN).terms.limit == 5
        assert account(bare, BY_SUBSCRIPTION).terms.period_at(utc("2026-11-28")).endless
        bare.ledger().ready()


# Periods: the subscription's columns and the zone; the period of an instant, as its name, its ends
# in UTC, and whether it is reconstructed.
PERIODS: Final[dict[str, tuple[dict[str, Any], ZoneInfo, str, str, str, str, bool]]] = {
    "the stored one": (
        {"period_start": utc("2026-11-05"), "period_end": utc("2026-12-05")},
        *(ZoneInfo("UTC"), "2026-11-28", "5 Nov – 5 Dec", "2026-11-05", "2026-12-05", False),
    ),
    "one before": (
        {"period_start": utc("2026-11-05"), "period_end": utc("2026-12-05")},
        *(ZoneInfo("UTC"), "2026-10-31", "5 Oct – 5 Nov", "2026-10-05", "2026-11-05", True),
    ),
    "from the 31st, New York": (
        {"period_start": utc("2026-10-31 02:00"), "period_end": utc("2026-11-30 02:00")},
        *(NEW_YORK, "2026-09-30 01:59", "30 Aug – 29 Sep", "2026-08-31 02:00", "2026-09-30 02:00"),
        True,
    ),
    "from the 31st, Kolkata": (
        {"period_start": utc("2026-10-31 20:00"), "period_end": utc("2026-11-30 20:00")},
        *(KOLKATA, "2026-12-01", "1 Dec 2026 – 1 Jan 2027", "2026-11-30 20:00", "2026-12-31 20:00"),
        False,
    ),
    "a year from the 31st, New York": (
        {"period_start": utc("2025-12-31"), "period_end": utc("2026-12-31")},
        *(NEW_YORK, "2026-11-28", "30 Dec 2025 – 30 Dec 2026", "2025-12-31", "2026-12-31", False),
    ),
    "a year from the 31st, Kolkata": (
        {"period_start": utc("2026-08-31 18:30"), "period_end": utc("2027-08-31 18:30")},
        *(KOLKATA, "2026-08-31 18:29:59", "1 Sep 2025 – 1 Sep 2026"),
        *("2025-08-31 18:30", "2026-08-31 18:30", True),
    ),
    "no start": (
        {"period_end": utc("2026-12-05")},
        *(ZoneInfo("UTC"), "2026-11-28", "since the beginning", "", "", False),
    ),
}


@pytest.mark.parametrize("name", PERIODS)
@pytest.mark.parametrize("organization", [True, False], ids=["organization", "person"])
def test_periods_are_those_of_the_payers_subscription(
    either: Platform, name: str, *, organization: bool
) -> None:
    columns, zone, instant, called, start, end, reconstructed = PERIODS[name]
    if organization:
        organized(either, "500", "0", [Stored("team", "active", columns)])
    else:
        either.account(5)
        either.subscription(PAYER, "pro", **columns)
    terms = account(either, Billing(zone, period=PeriodKind.SUBSCRIPTION)).terms
    ends = (utc(start), utc(end)) if start else (EVER.start, EVER.end)
    assert terms.period_at(utc(instant)) == BillingPeriod(
        *ends, terms.limit, called, PeriodKind.SUBSCRIPTION, reconstructed
    )
    by_month = account(either, Billing(zone)).terms.period_at(utc("2026-11-28"))
    assert (by_month.name, by_month.kind) == ("November", PeriodKind.MONTH)


@pytest.mark.parametrize("limit", ["1e-1000", "1e1000", "0.1"])
@pytest.mark.parametrize("source", LimitSource)
def test_no_limit_has_too_many_digits(either: Platform, limit: str, source: LimitSource) -> None:
    either.account(limit)
    either.subscription(PAYER, "enterprise")
    either.sql("UPDATE user_stats SET credit_balance = 1e-200")
    either.runs([Run("a", utc("2026-11-05"), '{"total": 0.25}')])
    ledger = either.ledger(limit_source=source)
    sums = ledger.summary(VIEWER, UsageQuery(WORKSPACE, ALWAYS)).sums
    assert (sums.on_demand > 0) == (limit != "1e1000")


@pytest.mark.parametrize(
    ("plan", "limit", "seats", "without_end"),
    [
        ("pro", "999999", None, {LimitSource.ACCOUNT}),
        ("pro", "999998.99", None, set()),
        ("enterprise", "999999", None, set(LimitSource)),
        # So much by its seats, and nobody switched it on.
        ("team", "5", 30_000, set()),
    ],
)
def test_whoever_stores_999999_has_no_end_where_the_limit_is_what_is_stored(
    either: Platform, plan: str, limit: str, seats: int | None, without_end: set[LimitSource]
) -> None:
    either.account(limit)
    either.subscription(PAYER, plan, seats=seats)
    found = {
        source
        for source in LimitSource
        if account(either, Billing(UTC, limit_source=source)).terms.no_end
    }
    assert found == without_end


def test_without_a_subscription_a_period_has_no_end(either: Platform) -> None:
    either.account(5)
    either.subscription(PAYER, "pro", "canceled", period_start=utc("2026-11-05"))
    period = account(either, BY_SUBSCRIPTION).terms.period_at(utc("2026-11-28"))
    assert period.endless


@pytest.mark.parametrize("start", ["infinity", "-infinity", "294276-01-01", "0001-01-01"])
def test_a_start_that_no_calendar_knows_is_none(either: Platform, start: str) -> None:
    either.account(5)
    either.subscription(PAYER, "pro")
    either.sql("UPDATE subscription SET period_start = CAST(:start AS timestamp)", start=start)
    assert account(either, BY_SUBSCRIPTION).terms.period_at(utc("2026-11-28")).endless


def period(later: Platform, instant: str) -> tuple[datetime, datetime]:
    found = account(later, BY_SUBSCRIPTION).terms.period_at(utc(instant))
    return found.start, found.end


def test_the_interval_that_is_stored_counts(later: Platform) -> None:
    later.account(5)
    later.subscription(PAYER, "pro", period_start=utc("2026-11-05"), period_end=utc("2026-12-05"))
    later.sql("UPDATE subscription SET billing_interval = 'year'")
    assert period(later, "2026-12-24") == (utc("2026-11-05"), utc("2027-11-05"))
    later.sql("UPDATE subscription SET billing_interval = 'fortnight'")
    assert period(later, "2026-12-24") == (utc("2026-12-05"), utc("2027-01-05"))


@pytest.mark.parametrize(
    ("metadata", "interval", "expected"),
    [
        ({"reportingPeriodAnchorDate": "2026-01-31"}, "month", ("2026-10-31", "2026-11-30")),
        ({"reportingPeriodAnchorDate": "2026-01-31"}, "year", ("2026-01-31", "2027-01-31")),
        (
            {"reportingPeriodAnchorDate": "2026-01-31", "reportingPeriodInterval": "month"},
            *("year", ("2026-10-31", "2026-11-30")),
        ),
        # Without an interval, in the future, or no date: what Stripe wrote.
        ({"reportingPeriodAnchorDate": "2026-01-31"}, None, ("2026-11-05", "2026-12-05")),
        ({"reportingPeriodAnchorDate": "9001-01-31"}, "month", ("2026-11-05", "2026-12-05")),
        ({"reportingPeriodAnchorDate": "2026-02-30"}, "month", ("2026-11-05", "2026-12-05")),
        ({"reportingPeriodAnchorDate": 20260131}, "month", ("2026-11-05", "2026-12-05")),
        (["reportingPeriodAnchorDate"], "month", ("2026-11-05", "2026-12-05")),
    ],
)
def test_an_enterprise_has_the_periods_by_which_the_platform_reports(
    later: Platform, metadata: Any, interval: str | None, expected: tuple[str, str]
) -> None:
    stored = {
        "period_start": utc("2026-11-05"),
        "period_end": utc("2026-12-05"),
        "metadata": metadata,
    }
    organized(later, "500", "0", [Stored("enterprise", "active", stored)])
    later.sql("UPDATE subscription SET billing_interval = :interval", interval=interval)
    assert period(later, "2026-11-29") == tuple(map(utc, expected))
    later.sql("UPDATE subscription SET plan = 'team'")
    start, _ = period(later, "2026-11-29")
    assert start == utc("2026-11-05")


# Labels: what follows from limit and period.


def test_labels_follow_the_subscriptions_period_and_the_plan(either: Platform) -> None:
    stored = {"period_start": utc("2026-11-05"), "period_end": utc("2026-12-05")}
    organized(either, "999999", "0", [Stored("team_6000", "active", stored)])
    costs = {"2026-10-05": 20, "2026-11-04": 20, "2026-11-05": 20, "2026-11-28": 11}
    either.runs(Run(day, utc(day), f'{{"total": {cost}}}') for day, cost in costs.items())
    if is_later(either):
        either.workspace("unseen", payer="viewer", archived_at=FOUNDED)
        put_into(either, "acme", "unseen")
    by_both = either.ledger(limit_source=LimitSource.PLAN, period=PeriodKind.SUBSCRIPTION)
    assert labels(first_page(by_both)) == {
        "2026-11-28": ("on_demand", Decimal(1)),
        "2026-11-05": ("included", Decimal(0)),
        "2026-11-04": ("on_demand", Decimal(10)),
        "2026-10-05": ("included", Decimal(0)),
    }
    by_month = labels(first_page(either.ledger(limit_source=LimitSource.PLAN)))
    assert by_month["2026-11-04"] == ("included", Decimal(0))
    assert by_month["2026-11-05"] == ("on_demand", Decimal(10))
    assert by_month["2026-11-28"] == ("on_demand", Decimal(11))
    as_set = labels(first_page(either.ledger(period=PeriodKind.SUBSCRIPTION)))
    assert {usage_type for usage_type, _ in as_set.values()} == {"included"}


def test_since_the_beginning_everything_adds_up(either: Platform) -> None:
    either.account(5)
    costs = {"1970-01-02": 2, "2025-12-31": 2, "2026-11-28": 3}
    either.runs(Run(day, utc(day), f'{{"total": {cost}}}') for day, cost in costs.items())
    found = labels(first_page(either.ledger(period=PeriodKind.SUBSCRIPTION)))
    assert found["2026-11-28"] == ("on_demand", Decimal(2))
    assert found["2025-12-31"] == ("included", Decimal(0))


@pytest.mark.parametrize("table", ["organization", "member", "subscription"])
def test_where_organizations_pay_what_is_missing_of_them_is_told(cluster: str, table: str) -> None:
    with own_platform(cluster, later=True) as bare:
        bare.account(5)
        bare.sql(f"DROP TABLE {table} CASCADE")
        with pytest.raises(UnavailableError, match=f"of {table} is not there"):
            bare.ledger().ready()
        with pytest.raises(UnavailableError):
            first_page(bare.ledger())
