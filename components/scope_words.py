"""What is said of whom a limit speaks of: the account that pays, or one workspace; pure."""

from typing import Final, NamedTuple

from data.rules.billing import LimitScope


class ScopeWords(NamedTuple):
    """Its name, as a subject, beside a sum, and what its running total covers."""

    name: str
    subject: str
    beside: str
    covered: str


SCOPE_WORDS: Final = {
    LimitScope.ACCOUNT: ScopeWords(
        "Account", "the account", "whole account", "over all workspaces of the account"
    ),
    LimitScope.WORKSPACE: ScopeWords(
        "Workspace", "the workspace", "this workspace", "of this workspace alone"
    ),
}
