from settings.addresses import (
    fits,
    is_addressed,
    log_url,
    params_in,
    params_of,
    readable,
    usage_path,
    workspace_in,
)


def test_an_address_and_its_workspace_are_each_others_inverse() -> None:
    for workspace_id in ("ws_support", "a b", "a/b", "ä", "100%", "?#&", "a\n\u202e", "a/usage/"):
        for prefix in ("/", "/finance/"):
            path = usage_path(prefix, workspace_id, {})
            assert workspace_in(path, prefix) == workspace_id
            assert is_addressed(workspace_id)


def test_what_no_address_names_is_not_addressed() -> None:
    for workspace_id in ("", ".", "..", "w" * 256):
        assert not is_addressed(workspace_id)
    assert is_addressed("...")
    assert is_addressed("w" * 255)


def test_an_address_may_be_as_long_as_a_request_line() -> None:
    assert fits(f"/{'a' * 7999}")
    assert not fits(f"/{'a' * 8000}")


def test_an_address_carries_the_window() -> None:
    assert usage_path("/", "ws", {"preset": "7d"}) == "/workspace/ws/usage?preset=7d"


def test_a_log_is_found_by_the_id_of_its_execution_whatever_is_in_it() -> None:
    assert log_url("https://app.example/", "w/1", "a b&c=é") == (
        "https://app.example/workspace/w%2F1/logs?executionId=a%20b%26c%3D%C3%A9"
    )


def test_other_paths_have_no_workspace() -> None:
    for path in ("/", "/workspace//usage", "/workspace/ws", "/workspace/ws/usage/more", None, 7):
        assert workspace_in(path, "/") == ""


def test_a_query_string_keeps_every_value_of_every_parameter() -> None:
    assert params_in("?a=1&a=2&b=") == {"a": ["1", "2"], "b": [""]}
    assert params_in("") == {}


def test_what_a_browser_sends_can_be_sent_back() -> None:
    assert [readable(sent) for sent in (None, "?q=é", "?q=\ud800", 7)] == ["", "?q=é", "?q=?", "7"]


def test_what_a_browser_sends_back_is_read_as_text_only() -> None:
    assert params_of({"preset": "7d", "n": 3}) == {"preset": ["7d"], "n": ["3"]}
    assert params_of("no") == params_of(None) == {}
