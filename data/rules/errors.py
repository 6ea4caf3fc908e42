"""Everything that can go wrong between a question and its answer.

Each face of the product (page, API) maps these once; nobody else formats errors.
"""

from typing import ClassVar


class UsageError(Exception):
    """An answer that cannot be given, and what the asker can do about it.

    ``sentence`` is shown to people as it stands, ``param`` names the offending parameter or is
    None, ``code`` is for programs, ``status`` is the HTTP status of the answer.
    """

    status: ClassVar[int] = 500
    code: str = "internal_error"

    def __init__(self, sentence: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.param = param
        self.code = code or type(self).code


class BadRequestError(UsageError):
    """The question itself is wrong; the sentence says what to send instead."""

    status = 400
    code = "parameter_invalid"


class UnauthenticatedError(UsageError):
    """Nobody can be named who asks."""

    status = 401
    code = "authentication_required"


class NotFoundError(UsageError):
    """Nothing here that this viewer may see."""

    status = 404
    code = "resource_missing"


class UnavailableError(UsageError):
    """The database did not answer; asking again later may help."""

    status = 503
    code = "database_unavailable"
