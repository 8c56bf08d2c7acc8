"""The claim of a folder: at most one run writes into a folder at a time.

A claim is a lock of the operating system on the file `CLAIM_FILE`, which also names the process and
the time. The system drops the lock when the process ends, also after a crash or `kill -9`, so a
claim never outlives its run and needs no clean-up. A process number alone would not do: after a
restart of the machine the number may belong to another program.
"""

from __future__ import annotations

import json
import os
import sys
import weakref
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType

from gandiag.plugins.errors import BadInput

CLAIM_FILE = ".claim.json"


class FolderInUse(BadInput):
    """Another run writes into the folder."""


class Claim:
    """The right to write into a folder, until `release`, or until the process ends.

    Use it in a ``with`` statement, which releases it. Missing folders are created, and removed
    again if they are still empty at the end.

    Attributes:
        folder: the claimed folder.

    Args:
        folder: the folder.
        place: what error messages name, such as ``--out mine``.

    Raises:
        FolderInUse: another run holds the claim; the message names its process.
        BadInput: the folder is a file or a link.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path, place: str) -> None:
        self.folder = folder
        # A link may lead to files that are no run's: what the user chose is not what is written.
        if folder.is_symlink():
            raise BadInput(
                place, f"is a link; give the folder that it leads to, {folder.resolve()}"
            )
        if folder.exists() and not folder.is_dir():
            raise BadInput(place, "is a file; give a folder")
        # Absolute, as the caller may change the current folder before the release.
        path = folder.absolute()
        created = [each for each in (path, *path.parents) if not each.exists()]
        descriptor = _lock(path, place)
        self._release = weakref.finalize(self, _release, path, created, descriptor, os.getpid())

    def release(self) -> None:
        """Give the folder free. A second call does nothing."""
        self._release()

    def __enter__(self) -> Claim:
        """Return the claim itself; the folder has been claimed already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the claim."""
        self.release()


def is_used(folder: Path) -> bool:
    """Whether a folder has any file but a claim, or is no folder."""
    if not folder.is_dir():
        return folder.exists() or folder.is_symlink()
    return any(path.name != CLAIM_FILE for path in folder.iterdir())


def _lock(folder: Path, place: str) -> int:
    """Create the folder and its claim, and lock the claim; return the open file."""
    path = folder / CLAIM_FILE
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # A link in place of the claim would lead the write to another file.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0))
        except FileNotFoundError:
            continue  # another run has just released the claim and removed the empty folder
        try:
            if not _try_lock(descriptor):
                raise FolderInUse(place, _describe_owner(path))
            # The former owner removes the file as it ends: then this lock is one on no file.
            if _is_same_file(descriptor, path):
                started = datetime.now().isoformat(" ", "seconds")
                owner = {"process": os.getpid(), "started": started}
                os.ftruncate(descriptor, 0)
                os.write(descriptor, json.dumps(owner).encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Lock a file, unless another process or another claim of this process has locked it."""
    if sys.platform == "win32":
        import msvcrt

        try:
            # The first byte that no owner's text reaches, as Windows forbids others to read it.
            os.lseek(descriptor, 4096, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # Some network file systems have no locks. To refuse every run there would be worse.
        return True
    return True


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _describe_owner(path: Path) -> str:
    """Who writes into the folder; without particulars if the owner is just writing them."""
    owner = ""
    with suppress(OSError, ValueError, KeyError, TypeError):
        data = json.loads(path.read_bytes()[:4096])
        owner = f" (process {int(data['process'])}, since {str(data['started'])[:19]})"
    return f"another run writes into this folder{owner}; give another folder"


def _release(folder: Path, created: Sequence[Path], descriptor: int, process: int) -> None:
    # A forked child has the same finalizer, and must leave the claim to its parent.
    if os.getpid() == process:
        # Removed before the lock is dropped: no other run can have locked this file by then.
        with suppress(OSError):
            (folder / CLAIM_FILE).unlink()
        # After a mistake in the scenario the folders are empty; else they cannot be removed.
        with suppress(OSError):
            for each in created:
                each.rmdir()
    with suppress(OSError):
        os.close(descriptor)
