"""The exceptions that a user is meant to read."""

from collections.abc import Sequence


class UserError(Exception):
    """Bad input: one line that names the key, file or value, and what would be right.

    The command line prints that line alone and exits with 1.
    """


class PassingError(UserError):
    """One whose cause is not the job's input but the disk, the network or another job: the same job may succeed later.

    What an interrupted job goes on from outlives it.
    """


def first_line(error: Exception) -> str:
    """What another library's exception says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def several(names: Sequence[str], shown: int = 3) -> str:
    """The first few names, and how many more there are."""
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")
