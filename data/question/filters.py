"""Which executions of a window are meant: the filters, as parameters and back.

They choose rows and sums. They never change a row's Type or a running total.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final, Self

from data.rules.errors import BadRequestError
from data.rules.labels import UsageType
from data.rules.money import plain
from data.rules.shown import quoted

# What `workflow` is where the workflow's row is gone.
DELETED: Final = "deleted"

VALUES_AT_MOST: Final = 50
LENGTH_AT_MOST: Final = 200
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,30})?")


@dataclass(frozen=True)
class Filters:
    """What an execution has to be like; of several values of a filter any will do.

    ``workflow`` holds workflows' ids, or DELETED; ``model`` names of which one was used; ``q`` is a
    text in the workflow's name or the execution's id, in any case; ``min_cost_usd`` (dollars) is
    the least known cost. Fields are named as their parameters; an empty one asks for nothing.
    """

    workflow: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    trigger: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    q: str | None = None
    min_cost_usd: Decimal | None = None

    def __bool__(self) -> bool:
        return self != NO_FILTERS

    @classmethod
    def parse(cls, params: Mapping[str, Sequence[str]]) -> Self:
        """Read those of ``params`` that are filters; raises BadRequestError."""
        given = {name: params[name] for name in FILTER_PARAMS if name in params}
        for name, words in given.items():
            _refuse_unreadable(name, words)
        read: dict[str, Any] = {
            name: tuple(sorted(set(words)))
            for name, words in given.items()
            if name in REPEATABLE_PARAMS
        }
        for name, reader in _SINGLE.items():
            if name in given:
                read[name] = reader(given[name][0])
        if unknown := set(read.get("type", ())) - set(UsageType):
            raise BadRequestError(
                f"type must be one of {', '.join(UsageType)}, not {quoted(min(unknown))}.",
                param="type",
            )
        return cls(**read)

    def params(self) -> dict[str, list[str]]:
        """Return the parameters that ask for these filters, in one spelling."""
        written: dict[str, list[str]] = {
            name: list(getattr(self, name)) for name in REPEATABLE_PARAMS if getattr(self, name)
        }
        if self.q is not None:
            written["q"] = [self.q]
        if self.min_cost_usd is not None:
            written["min_cost_usd"] = [plain(self.min_cost_usd)]
        return written

    @property
    def usage_type(self) -> UsageType | None:
        """The one Type that is asked for; None where both will do."""
        return UsageType(self.type[0]) if len(self.type) == 1 else None


def is_text(value: object) -> bool:
    """Tell whether PostgreSQL could hold ``value`` as text."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _refuse_unreadable(name: str, words: Sequence[str]) -> None:
    if len(words) > VALUES_AT_MOST:
        raise BadRequestError(f"Send at most {VALUES_AT_MOST} values of {name}.", param=name)
    for word in words:
        if not word or len(word) > LENGTH_AT_MOST or not is_text(word):
            raise BadRequestError(
                f"{name} must be a text of 1 to {LENGTH_AT_MOST} characters.", param=name
            )


def _amount(word: str) -> Decimal:
    if not _AMOUNT.fullmatch(word):
        raise BadRequestError(
            "min_cost_usd must be an amount of dollars in digits, such as 0.5: at most 12 before "
            "the point and 30 behind it.",
            param="min_cost_usd",
        )
    return Decimal(word)


_SINGLE: Final[Mapping[str, Callable[[str], Any]]] = {"q": str, "min_cost_usd": _amount}

NO_FILTERS: Final = Filters()
FILTER_PARAMS: Final = tuple(field.name for field in fields(Filters))
REPEATABLE_PARAMS: Final = tuple(name for name in FILTER_PARAMS if name not in _SINGLE)
