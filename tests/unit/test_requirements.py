"""The locks: what is served is what is tested, with hashes and without an address."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVED, TESTED, MEASURED = "requirements.txt", "requirements-test.txt", "requirements-bench.txt"
INSTALLER = "requirements-uv.txt"


def pins(lock: str) -> dict[tuple[str, str], str]:
    """Return the version of each package and condition that a lock names."""
    found = re.findall(
        r"^([a-z0-9._-]+(?:\[[a-z,]+\])?)==([^ ]+) (?:; (.+) )?\\$",
        (ROOT / lock).read_text(),
        re.MULTILINE,
    )
    return {(name, condition): version for name, version, condition in found}


def test_what_is_served_is_what_is_tested_but_for_the_urllib3_of_the_tests_selenium() -> None:
    served, tested = pins(SERVED), pins(TESTED)
    assert served.keys() <= tested.keys()
    assert {pin for pin in served if served[pin] != tested[pin]} <= {("urllib3", "")}
    assert int(served["urllib3", ""].split(".")[0]) >= 2


def test_what_is_measured_is_what_is_served() -> None:
    assert pins(SERVED).items() <= pins(MEASURED).items()


@pytest.mark.parametrize(
    ("lock", "at_least"), [(SERVED, 50), (TESTED, 50), (MEASURED, 50), (INSTALLER, 1)]
)
def test_a_lock_has_a_hash_for_each_package_and_no_address(lock: str, at_least: int) -> None:
    text = (ROOT / lock).read_text()
    packages = re.split(r"\n(?=\S)", text)
    assert len(packages) == len(pins(lock)) >= at_least
    assert [package for package in packages if "--hash=sha256:" not in package] == []
    assert "://" not in text
