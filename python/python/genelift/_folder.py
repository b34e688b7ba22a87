"""Temporary directories."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path


class Folder:
    """A temporary directory that is removed with the last object that holds it, and at the end of the process."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="genelift-"))
        weakref.finalize(self, remove, self.path, os.getpid())


def remove(path: Path, process: int) -> None:
    """Removes a directory of this process. A forked one has the objects of its parent, whose directory it is."""
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)
