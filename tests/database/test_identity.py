from datetime import timedelta
from hashlib import sha256

import pytest

from data.platform.connection import connect
from data.platform.identity import ApiKey, Identity
from data.rules.errors import UnavailableError
from tests.support.platform import Platform
from tests.support.signing import A_DAY_AGO, IN_A_DAY, add_key, add_session, ban, own_platform

HOUR = timedelta(hours=1)


@pytest.fixture
def identity(platform: Platform) -> Identity:
    platform.account(1, "ws", viewer="viewer")
    return Identity(platform.reader)


def test_a_session_is_its_users_until_it_expires(platform: Platform, identity: Identity) -> None:
    add_session(platform, "now", "viewer")
    add_session(platform, "then", "viewer", expires_at=A_DAY_AGO)
    assert identity.user_of_session("now") == "viewer"
    assert identity.user_of_session("then") is None
    assert identity.user_of_session("NOW") is None
    assert identity.user_of_session("") is None


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_instants_of_the_platform_are_utc_whatever_the_servers_own_zone(
    cluster: str, zone: str
) -> None:
    with own_platform(cluster) as platform:
        platform.sql(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L', "
            f"current_database(), '{zone}'); END $$"
        )
        platform.account(1, "ws", viewer="viewer")
        soon, just_now = IN_A_DAY - 23 * HOUR, A_DAY_AGO + 23 * HOUR
        add_session(platform, "soon", "viewer", expires_at=soon)
        add_session(platform, "just now", "viewer", expires_at=just_now)
        add_key(platform, "sim_soon", "viewer", expires_at=soon)
        add_key(platform, "sim_just_now", "viewer", expires_at=just_now)
        engine = connect(platform.url)
        try:
            identity = Identity(engine)
            assert identity.user_of_session("soon") == "viewer"
            assert identity.user_of_session("just now") is None
            assert [key.stored for key in identity.all_keys()] == ["sim_soon"]
            for until, named in ((soon, None), (just_now, "viewer")):
                ban(platform, "viewer", until)
                assert identity.user_named("viewer") == named
        finally:
            engine.dispose()


@pytest.mark.parametrize(
    ("banned", "until", "named"),
    [
        ("NULL", "NULL", "viewer"),
        ("false", "NULL", "viewer"),
        ("true", "NULL", None),
        ("true", "now() AT TIME ZONE 'UTC' + interval '1 minute'", None),
        ("true", "now() AT TIME ZONE 'UTC' - interval '1 second'", "viewer"),
        ("true", "'infinity'", None),
        ("false", "now() AT TIME ZONE 'UTC' + interval '1 day'", "viewer"),
        ("NULL", "now() AT TIME ZONE 'UTC' + interval '1 day'", "viewer"),
    ],
)
def test_who_is_banned_is_nobody_by_any_way(
    platform: Platform, identity: Identity, banned: str, until: str, named: str | None
) -> None:
    add_session(platform, "token", "viewer")
    add_key(platform, "sim_key", "viewer")
    add_key(platform, "sim_of_ws", "viewer", workspace_id="ws")
    platform.sql(
        f"UPDATE \"user\" SET banned = {banned}, ban_expires = {until} WHERE id = 'viewer'"
    )
    assert identity.user_of_session("token") == named
    assert identity.user_named("viewer") == named
    assert identity.user_named("viewer@example.com") == named
    assert len(identity.all_keys()) == (2 if named else 0)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("viewer", "viewer"),
        ("Viewer", None),
        ("viewer@example.com", "viewer"),
        ("VIEWER@EXAMPLE.COM", "viewer"),
        ("viewer@example.co", None),
        ("%", None),
        ("", None),
    ],
)
def test_a_user_is_named_by_id_as_it_is_and_by_email_in_any_case(
    identity: Identity, name: str, named: str | None
) -> None:
    assert identity.user_named(name) == named


def test_keys_are_those_that_may_be_used_now(platform: Platform, identity: Identity) -> None:
    add_key(platform, "sim_personal", "viewer")
    add_key(platform, "sim_workspace", "viewer", workspace_id="ws", expires_at=IN_A_DAY)
    add_key(platform, "sim_expired", "viewer", expires_at=A_DAY_AGO)
    assert set(identity.all_keys()) == {
        ApiKey("sim_personal", "viewer", None),
        ApiKey("sim_workspace", "viewer", "ws"),
    }


def test_a_hash_finds_its_own_key_and_no_other(cluster: str) -> None:
    with own_platform(cluster, later=True) as platform:
        platform.account(1, "ws", viewer="viewer")
        identity = Identity(platform.reader)
        assert identity.revision().key_hashes
        for key in ("sim_one", "sim_two"):
            add_key(platform, key, "viewer")
            platform.sql(
                "UPDATE api_key SET key_hash = :hash WHERE key = :key",
                key=key,
                hash=sha256(key.encode()).hexdigest(),
            )
        add_key(platform, "sim_none", "viewer")
        hashed = sha256(b"sim_one").hexdigest()
        assert identity.key_of_hash(hashed) == ApiKey("sim_one", "viewer", None)
        for wrong in ("", hashed.upper(), hashed[:-1], sha256(b"sim_none").hexdigest()):
            assert identity.key_of_hash(wrong) is None


def test_a_database_that_is_away_is_told_as_such(cluster: str) -> None:
    engine = connect(cluster.replace("/postgres?", "/not_there?"))
    identity = Identity(engine)
    for ask in (
        identity.revision,
        identity.all_keys,
        lambda: identity.user_of_session("token"),
        lambda: identity.user_named("viewer"),
        lambda: identity.key_of_hash("0"),
    ):
        with pytest.raises(UnavailableError):
            ask()
    engine.dispose()


def test_what_fails_does_not_tell_what_was_asked_for(cluster: str) -> None:
    with own_platform(cluster) as platform:
        identity = Identity(platform.reader)
        platform.sql("ALTER TABLE session RENAME token TO token_of_old")
        platform.sql('ALTER TABLE "user" RENAME email TO email_of_old')
        for ask in (
            lambda: identity.user_of_session("hunter2"),
            lambda: identity.user_named("hunter2"),
            lambda: identity.key_of_hash("hunter2"),
        ):
            with pytest.raises(UnavailableError) as failure:
                ask()
            assert "does not exist" in str(failure.value)
            assert "hunter2" not in f"{failure.value} {failure.value!r}"
