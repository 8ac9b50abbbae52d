"""A text that should hold a value and does not, with what to write in its place."""

from __future__ import annotations


class NotUnderstood(ValueError):
    """What is wrong with a value; whoever knows the file and the line makes a problem of it.

    Args:
        message: what was found, what is allowed.
        fix: what to write.
        code: for the problem, when it is another than the reader's own for this kind of value.
    """

    def __init__(self, message: str, *, fix: str = "", code: str = "") -> None:
        self.message = message
        self.fix = fix
        self.code = code
        super().__init__(f"{message}; {fix}" if fix else message)
