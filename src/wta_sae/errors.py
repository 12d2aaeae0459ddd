"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Bad input: one line that names the key, file or value, and what would be right.

    The command line prints that line alone and exits with 1.
    """


def first_line(error: Exception) -> str:
    """What another library's exception says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
