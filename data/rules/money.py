"""Exact dollars: the one decimal context that sums may use, and the one way they are printed.

Python's default context rounds at 28 digits without a word; here a lost digit is an error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import (
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)
from typing import Final

ZERO: Final = Decimal(0)

# All digits that PostgreSQL stores before and behind the point, with room for sums of them.
_EXACT: Final = Context(prec=150_000, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])


@contextmanager
def exact() -> Iterator[None]:
    """Arithmetic inside either keeps every digit or raises ``decimal.Inexact``."""
    with localcontext(_EXACT):
        yield


def trimmed(dollars: Decimal) -> Decimal:
    """Drop zeros at the end of a computed amount: they tell of other amounts, not of this one."""
    with exact():
        return dollars.normalize()


def plain(dollars: Decimal) -> str:
    """Print every stored digit and never an exponent: ``0.0000001``, not ``1E-7``."""
    return format(dollars, "f")
