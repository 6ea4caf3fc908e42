from datetime import UTC, datetime, timedelta, timezone

import pytest

from data.rules.labels import model_label, rfc3339, workflow_label


@pytest.mark.parametrize(
    ("instant", "written"),
    [
        (datetime(2026, 11, 22, 9, 15, 27, 412000, tzinfo=UTC), "2026-11-22T09:15:27.412000Z"),
        (datetime(2026, 11, 22, tzinfo=UTC), "2026-11-22T00:00:00.000000Z"),
        (
            datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            "2025-12-31T18:30:00.000000Z",
        ),
    ],
)
def test_an_instant_is_written_in_utc_with_microseconds(instant: datetime, written: str) -> None:
    assert rfc3339(instant) == written


@pytest.mark.parametrize(
    ("models", "label"),
    [
        ([], ""),
        (["gpt-4o"], "gpt-4o"),
        (["gpt-4o", "haiku"], "gpt-4o +1"),
        (["a", "b", "c"], "a +2"),
    ],
)
def test_the_first_model_stands_for_all_with_the_number_of_the_others(
    models: list[str], label: str
) -> None:
    assert model_label(models) == label


def test_a_workflow_whose_row_is_gone_is_called_deleted_and_an_empty_name_stays_empty() -> None:
    assert workflow_label(None) == "Deleted workflow"
    assert workflow_label("Triage") == "Triage"
    assert workflow_label("") == ""
