from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports


def test_imports_point_down_only() -> None:
    assert lint_imports(no_cache=True, no_logo=True) == EXIT_STATUS_SUCCESS
