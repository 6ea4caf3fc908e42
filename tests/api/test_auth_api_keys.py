"""API keys, as both revisions of the platform store them: plain or encrypted, and by hash."""

from collections.abc import Iterator
from hashlib import sha256
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.support.platform import Platform
from tests.support.signing import (
    A_DAY_AGO,
    ENCRYPTION_KEY,
    IN_A_DAY,
    Asker,
    House,
    add_key,
    ban,
    by_key,
    encrypted,
    own_platform,
    short,
)
from web.auth.api_keys import ApiKeySignIn

LEGACY = "sim_AbCdEfGhIjKlMnOpQrStUvWxYz012345"
MODERN = "sk-sim-AbCdEfGhIjKlMnOpQrStUvWxYz012345"
INVALID = "api_key_invalid"


@pytest.fixture
def people(platform: Platform) -> Platform:
    platform.account(100, "ws", viewer="viewer")
    platform.account(100, "ws-of-another", payer="payer-too", viewer="another")
    return platform


@pytest.fixture
def house(people: Platform) -> House:
    return House(people.reader, API_ENCRYPTION_KEY=ENCRYPTION_KEY)


def test_a_plain_key_is_its_users(house: House, people: Platform) -> None:
    add_key(people, LEGACY, "viewer")
    assert house.named(by_key(LEGACY)) == ["ws"]


def test_an_encrypted_key_is_its_users(house: House, people: Platform) -> None:
    add_key(people, encrypted(MODERN), "viewer")
    assert house.named(by_key(MODERN)) == ["ws"]


def test_a_key_without_the_new_prefix_may_be_stored_encrypted_too(
    house: House, people: Platform
) -> None:
    add_key(people, encrypted(LEGACY), "viewer")
    assert house.named(by_key(LEGACY)) == ["ws"]


def test_a_key_with_the_new_prefix_matches_no_plain_row(house: House, people: Platform) -> None:
    add_key(people, MODERN, "viewer")
    assert house.code(by_key(MODERN)) == INVALID


def test_the_encryption_key_may_be_spelled_in_capitals(people: Platform) -> None:
    add_key(people, encrypted(MODERN), "viewer")
    house = House(people.reader, API_ENCRYPTION_KEY=ENCRYPTION_KEY.upper())
    assert house.named(by_key(MODERN)) == ["ws"]


@pytest.mark.parametrize("secret", [{}, {"API_ENCRYPTION_KEY": "f" * 64}])
def test_without_the_platforms_encryption_key_encrypted_keys_are_none_and_plain_ones_hold(
    people: Platform, secret: dict[str, str]
) -> None:
    add_key(people, encrypted(MODERN), "viewer")
    add_key(people, LEGACY, "viewer")
    house = House(people.reader, **secret)
    assert house.code(by_key(MODERN)) == INVALID
    assert house.named(by_key(LEGACY)) == ["ws"]


def test_of_many_keys_each_is_its_own_users(house: House, people: Platform) -> None:
    for number in range(5):
        iv = bytes([number]) * 16
        add_key(people, encrypted(f"sk-sim-viewer-{number}", iv=iv), "viewer")
        add_key(people, encrypted(f"sk-sim-another-{number}", iv=iv), "another")
        add_key(people, f"sim_{number}", "another", workspace_id="ws")
    for number in range(5):
        assert house.named(by_key(f"sk-sim-viewer-{number}")) == ["ws"]
        assert house.named(by_key(f"sk-sim-another-{number}")) == ["ws-of-another"]
        assert house.named(by_key(f"sim_{number}")) == ["ws"]


@pytest.mark.parametrize(
    "presented",
    [
        "",
        " ",
        LEGACY[:-1],
        LEGACY + "x",
        LEGACY.swapcase(),
        LEGACY.removeprefix("sim_"),
        MODERN[:-1],
        MODERN.removeprefix("sk-"),
        "sim_",
        "sk-sim-",
        "sk-sim-" + LEGACY,
        f"Bearer {LEGACY}",
        f"{LEGACY},{LEGACY}",
        encrypted(MODERN),
        encrypted(LEGACY),
        "%",
        "\xff\xfe",
        "'; DROP TABLE api_key; --",
        "x" * 100_000,
    ],
    ids=short,
)
def test_whatever_is_not_the_key_is_refused(house: House, people: Platform, presented: str) -> None:
    add_key(people, LEGACY, "viewer")
    add_key(people, encrypted(MODERN), "viewer")
    assert house.code(by_key(presented)) == INVALID
    assert house.may(by_key(LEGACY)) == house.may(by_key(MODERN)) == 200


def _damaged() -> list[str]:
    iv, text, tag = encrypted(MODERN).split(":")
    short = AESGCM(bytes.fromhex(ENCRYPTION_KEY)).encrypt(b"\x0f" * 12, MODERN.encode(), None)
    binary = AESGCM(bytes.fromhex(ENCRYPTION_KEY)).encrypt(b"\x0f" * 16, b"\xff\xfe", None)
    return [
        "",
        ":",
        "::",
        f"{iv}::{tag}",
        f"{iv}:{text}",
        f"{iv}:{text}:",
        f":{text}:{tag}",
        f"{iv}:{text[:-1]}:{tag}",
        f"{iv}:{text[:-2]}:{tag}",
        f"{iv}:{text}:{tag[:-2]}",
        f"{iv}:{text}:{'0' * 32}",
        f"{'0' * 32}:{text}:{tag}",
        f"{iv[:24]}:{text}:{tag}",
        f"{iv}:{text}:{tag}:{tag}",
        f"{iv}:{'g' * len(text)}:{tag}",
        f"{iv}:{text}:{tag}\n",
        f"{'0f' * 12}:{short[:-16].hex()}:{short[-16:].hex()}",
        f"{'0f' * 16}:{binary[:-16].hex()}:{binary[-16:].hex()}",
        "ключ",
        "x" * 5000,
    ]


@pytest.mark.parametrize("stored", _damaged(), ids=short)
def test_a_damaged_row_opens_nothing_and_stands_in_nobodys_way(
    house: House, people: Platform, stored: str
) -> None:
    add_key(people, stored, "another")
    add_key(people, LEGACY, "viewer")
    assert house.code(by_key(MODERN)) == INVALID
    # A header cannot carry every text; what it can carry is shown as it is stored.
    if ":" in stored or not stored:
        assert house.code(by_key(stored.strip())) == INVALID
    assert house.named(by_key(LEGACY)) == ["ws"]


def test_the_row_is_read_anew_each_time_and_its_ciphertext_only_once(people: Platform) -> None:
    add_key(people, encrypted(MODERN), "viewer")
    real = ApiKeySignIn._decrypt
    with patch.object(ApiKeySignIn, "_decrypt", autospec=True, side_effect=real) as decrypt:
        house = House(people.reader, API_ENCRYPTION_KEY=ENCRYPTION_KEY)
    changes = {
        "UPDATE api_key SET expires_at = now() AT TIME ZONE 'UTC' - interval '1 second'": 401,
        "UPDATE api_key SET expires_at = now() AT TIME ZONE 'UTC' + interval '1 minute'": 200,
        "UPDATE \"user\" SET banned = true WHERE id = 'viewer'": 401,
        "UPDATE \"user\" SET banned = NULL WHERE id = 'viewer'": 200,
        "DELETE FROM api_key": 401,
    }
    assert house.may(by_key(MODERN)) == 200
    for change, status in changes.items():
        people.sql(change)
        assert house.may(by_key(MODERN)) == status, change
    assert house.may(by_key("sk-sim-wrong")) == 401
    assert decrypt.call_count == 1


def test_a_key_that_moves_to_another_user_or_workspace_is_theirs_at_once(
    house: House, people: Platform
) -> None:
    add_key(people, encrypted(MODERN), "viewer")
    assert house.named(by_key(MODERN)) == ["ws"]
    people.sql("UPDATE api_key SET user_id = 'another'")
    assert house.named(by_key(MODERN)) == ["ws-of-another"]
    people.sql("UPDATE api_key SET type = 'workspace', workspace_id = 'ws'")
    assert house.named(by_key(MODERN)) == ["ws"]


def test_the_header_counts_and_no_other_place(house: House, people: Platform) -> None:
    add_key(people, LEGACY, "viewer")
    assert house.named(Asker({"x-api-key": LEGACY})) == ["ws"]
    assert house.may(Asker({"Authorization": f"Bearer {LEGACY}"})) == 401
    assert house.may(Asker({"Cookie": f"X-API-Key={LEGACY}"})) == 401
    answer = house.get("/api/billing/usage", Asker({}), **{"X-API-Key": LEGACY})
    assert answer.status_code == 401


@pytest.fixture(scope="module")
def later_platform(cluster: str) -> Iterator[Platform]:
    with own_platform(cluster, later=True) as platform:
        platform.account(100, "ws", viewer="viewer")
        yield platform


@pytest.fixture
def later(later_platform: Platform) -> Platform:
    later_platform.sql("DELETE FROM api_key")
    later_platform.sql('UPDATE "user" SET banned = NULL, ban_expires = NULL')
    return later_platform


def _hash(platform: Platform, key: str) -> None:
    platform.sql("UPDATE api_key SET key_hash = :hash", hash=sha256(key.encode()).hexdigest())


@pytest.mark.parametrize("key", [LEGACY, MODERN, "any form"])
@pytest.mark.parametrize("secret", [{}, {"API_ENCRYPTION_KEY": ENCRYPTION_KEY}])
def test_a_later_revision_finds_a_key_by_its_hash_however_it_is_stored(
    later: Platform, key: str, secret: dict[str, str]
) -> None:
    add_key(later, "what stands here does not count", "viewer")
    house = House(later.reader, **secret)
    assert house.code(by_key(key)) == INVALID
    _hash(later, key)
    assert house.named(by_key(key)) == ["ws"]
    assert house.code(by_key(key + "x")) == INVALID
    assert house.code(by_key("what stands here does not count")) == INVALID


@pytest.mark.parametrize("stored", [LEGACY, encrypted(LEGACY)])
def test_a_key_without_a_hash_is_none_at_a_later_revision(later: Platform, stored: str) -> None:
    add_key(later, stored, "viewer")
    house = House(later.reader, API_ENCRYPTION_KEY=ENCRYPTION_KEY)
    assert house.code(by_key(LEGACY)) == INVALID
    assert house.code(by_key("")) == INVALID


def test_the_hash_itself_is_no_key(later: Platform) -> None:
    add_key(later, LEGACY, "viewer")
    _hash(later, LEGACY)
    house = House(later.reader)
    assert house.may(by_key(LEGACY)) == 200
    assert house.code(by_key(sha256(LEGACY.encode()).hexdigest())) == INVALID


def test_a_hashed_key_ends_as_any_other(later: Platform) -> None:
    add_key(later, LEGACY, "viewer", expires_at=IN_A_DAY)
    _hash(later, LEGACY)
    house = House(later.reader)
    assert house.may(by_key(LEGACY)) == 200
    ban(later, "viewer")
    assert house.may(by_key(LEGACY)) == 401
    ban(later, "viewer", A_DAY_AGO)
    assert house.may(by_key(LEGACY)) == 200
    later.sql("UPDATE api_key SET expires_at = now() AT TIME ZONE 'UTC'")
    assert house.may(by_key(LEGACY)) == 401


def test_a_platform_that_is_upgraded_is_believed_without_a_restart(cluster: str) -> None:
    with own_platform(cluster) as platform:
        platform.account(100, "ws", viewer="viewer")
        add_key(platform, LEGACY, "viewer")
        house = House(platform.reader)
        assert house.may(by_key(LEGACY)) == 200
        platform.sql("ALTER TABLE api_key ADD key_hash text UNIQUE")
        assert house.may(by_key(LEGACY)) == 401
        _hash(platform, LEGACY)
        assert house.may(by_key(LEGACY)) == 200
