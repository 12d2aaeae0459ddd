"""Where a file is written: what can go wrong there, told in one line. Free of torch."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from wta_sae.base.errors import PassingError

NOT_WRITABLE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    *(errno.ENAMETOOLONG, errno.ELOOP),
)
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DISK_FAILURE = (errno.EIO, errno.ESTALE)


def partial_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes the folder of `path`; says in one line what kept it from being written. Another OSError may be a lost network."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, SafetensorError) as error:
        if isinstance(error, SafetensorError) or error.errno in NO_SPACE:
            why = str(error) if isinstance(error, SafetensorError) else error.strerror
            raise PassingError(f"{path}: writing failed ({why}); free disk space or choose another folder") from error
        if error.errno in DISK_FAILURE:
            raise PassingError(
                f"{path}: the disk failed while it was made ({error.strerror}); run again when it works"
            ) from error
        if error.errno in NOT_WRITABLE and _is_on_the_way(error.filename, path):
            where = error.filename or path
            raise PassingError(f"{where}: cannot be written ({error.strerror}); make the folder writable") from error
        raise


def _is_on_the_way(filename: Any, path: Path) -> bool:
    """Whether a file that an error names is met in writing `path`: a folder above it, or its temporary."""
    if not isinstance(filename, str | os.PathLike):
        return True
    file, written = Path(filename).absolute(), path.absolute()
    temporary = partial_path(written)
    return file in (written, temporary) or file in written.parents or temporary in file.parents
