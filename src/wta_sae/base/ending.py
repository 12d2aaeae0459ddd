"""The end of a process that was told to stop."""

import signal
import sys
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end(number: int) -> NoReturn:
    """Ends the process as the signal asks, deaf to further ones: Slurm sends several, and cleaning up is to be finished."""
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    sys.exit(128 + number)
