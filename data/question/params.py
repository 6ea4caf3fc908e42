"""Parameters as they were given, word by word; whatever is wrong is told by name.

Standard library only, like all that reads parameters.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from data.question.filters import REPEATABLE_PARAMS
from data.rules.errors import BadRequestError
from data.rules.shown import quoted

_Word = TypeVar("_Word", bound=StrEnum)


def single_values(params: Mapping[str, Sequence[str]], known: Sequence[str]) -> dict[str, str]:
    """Return the one value of each parameter; refuse what is unknown, doubled or empty.

    Parameters that may be repeated are left to who reads them all.
    """
    single: dict[str, str] = {}
    for name, values in params.items():
        if name not in known:
            raise BadRequestError(
                f"There is no parameter {quoted(name)}. Known are: {', '.join(known)}."
                if known
                else f"This takes no parameters; leave {quoted(name)} out.",
                param=name[:80],
                code="parameter_unknown",
            )
        if len(values) > 1 and name not in REPEATABLE_PARAMS:
            raise BadRequestError(
                f"{name} was given {len(values)} times; send it once.",
                param=name,
                code="parameter_repeated",
            )
        if not all(values or [""]):
            raise BadRequestError(
                f"{name} is empty; give it a value or leave it out.",
                param=name,
                code="parameter_empty",
            )
        if name not in REPEATABLE_PARAMS:
            single[name] = values[0]
    return single


def workspace_named(single: Mapping[str, str], known: str | None) -> str:
    """Return the workspace that ``workspaceId`` names; it has to, where none is ``known``."""
    workspace_id = single.get("workspaceId", known)
    if workspace_id is None:
        raise BadRequestError(
            "workspaceId is missing; /api/billing/workspaces lists yours.",
            param="workspaceId",
            code="parameter_missing",
        )
    return workspace_id


def one_of(words: type[_Word], param: str, params: Mapping[str, Sequence[str]]) -> _Word:
    """Return the one of ``words`` that ``param`` names, the first where it is not given."""
    known = list(words)
    given = list(params.get(param, known[:1]))
    if len(given) != 1 or given[0] not in known:
        raise BadRequestError(f"{param} must be one of {', '.join(known)}.", param=param)
    return words(given[0])
