"""How a file is written: its columns, its marks, a manifest beside it; as parameters and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from data.question.params import one_of
from data.rules.errors import BadRequestError


class Columns(StrEnum):
    """Which columns a file has."""

    STANDARD = "standard"
    EXTENDED = "extended"


class Separator(StrEnum):
    """What stands between two fields."""

    COMMA = "comma"
    SEMICOLON = "semicolon"
    TAB = "tab"


class Mark(StrEnum):
    """What stands before the decimals of an amount."""

    POINT = "point"
    COMMA = "comma"


@dataclass(frozen=True)
class FileOptions:
    """What is asked of a file; where nothing is, it is the standard one.

    Fields are named as their parameters.
    """

    columns: Columns = Columns.STANDARD
    separator: Separator = Separator.COMMA
    decimal: Mark = Mark.POINT
    manifest: bool = False

    @classmethod
    def parse(cls, params: Mapping[str, Sequence[str]]) -> Self:
        """Read those of ``params`` that say how a file is written; raises BadRequestError."""
        separator = one_of(Separator, "separator", params)
        decimal = one_of(Mark, "decimal", params)
        if (separator, decimal) == (Separator.COMMA, Mark.COMMA):
            raise BadRequestError(
                "decimal=comma needs separator=semicolon or separator=tab: one comma cannot be "
                "both.",
                param="decimal",
                code="parameters_exclusive",
            )
        manifest = list(params.get("manifest", ["0"]))
        if manifest not in (["0"], ["1"]):
            raise BadRequestError("manifest must be one of 0, 1.", param="manifest")
        return cls(one_of(Columns, "columns", params), separator, decimal, manifest == ["1"])

    @property
    def extended(self) -> bool:
        """Tell whether the file has more than the standard columns."""
        return self.columns is Columns.EXTENDED

    @property
    def needs_labels(self) -> bool:
        """Tell whether each row's Type has to be known."""
        return self.extended or self.manifest


STANDARD: Final = FileOptions()
