"""Output files: each appears whole or not at all, and replaces none unasked."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from turnlat.errors import OutputError


def check_free(paths: list[str], inputs: list[str], *, force: bool) -> None:
    """Raise `OutputError` where a path is taken: before any work is done."""
    taken = {os.path.realpath(item.rpartition("=")[2]) for item in inputs}
    for path in paths:
        if os.path.realpath(path) in taken:
            raise OutputError(f"{path}: this file is read, or written, by the same command")
        taken.add(os.path.realpath(path))
        if Path(path).exists() and not force:
            raise OutputError(f"-o {path}: the file exists", hint="--force replaces it")
        if not Path(path).parent.is_dir():
            raise OutputError(f"-o {path}: there is no folder {Path(path).parent}")


def write_whole(path: str, content: bytes) -> None:
    """Write a file that nobody can see half of.

    Raises `OutputError` where it cannot be written.
    """
    target = Path(path)
    try:
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(draft).chmod(0o666 & ~_umask())
            Path(draft).replace(target)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"-o {path}: cannot be written: {reason}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
