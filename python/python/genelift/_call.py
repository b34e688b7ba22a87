"""A call of a command: keyword arguments as the command's options, data lent to it, and what it tells while it works."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from . import _genelift
from ._data import NEW, is_data, is_path, lend, list_of_names
from ._errors import GeneliftWarning, UsageError
from ._folder import Folder
from ._progress import Event, Progress, watcher

LOG = logging.getLogger("genelift")

#: This package's folder: a warning is about the line that called it.
HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Call:
    """The words of a command, as they come together."""

    def __init__(self, command: str, options: dict[str, Any], layer: str | None = None, progress: Progress = None) -> None:
        self.words = [command]
        self.layer, self.progress = layer, progress
        self.threads = options.get("threads")
        self.kept: list[Any] = []
        #: What was told of pieces of work that were over, such as epochs: what of, and the figures.
        self.figures: list[tuple[str, dict[str, Any]]] = []
        self._folder: Folder | None = None
        for key, value in options.items():
            self.option(key, value)

    @property
    def owner(self) -> Folder:
        """The temporary directory of what this call writes."""
        if self._folder is None:
            self._folder = Folder()
        return self._folder

    def folder(self) -> Path:
        """The same as a path."""
        return self.owner.path

    def option(self, key: str, value: Any) -> None:
        """A keyword argument as the option of its name. None and False are as if nothing had been said."""
        if value is None or value is False:
            return
        flag = "--" + key.replace("_", "-")
        if isinstance(value, np.ndarray) and value.ndim == 1:
            value = value.tolist()
        if value is True:
            self.words.append(flag)
        elif isinstance(value, (list, tuple)) and not value and key not in NAMES | {"label"}:
            raise UsageError(f"{key}={value!r}: is empty; leave it out where nothing is to be said")
        elif isinstance(value, (list, tuple)) and not (value and all(is_name(item) for item in value) and key in NAMES):
            self.words.extend(f"{flag}={self.word(item, key)}" for item in value)
        else:
            self.words.append(f"{flag}={self.word(value, key)}")

    def word(self, value: Any, key: str) -> str:
        """A value as the command reads it; data are lent, lists of names are files."""
        if is_path(value):
            return os.fspath(value)
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, (int, float)):
            return repr(value)
        if is_data(value):
            return self.data(value, key, NEW)
        if key in NAMES and hasattr(value, "__iter__"):
            return self.names(value)
        raise UsageError(f"{key}={value!r}: expected a number, a text, a path, True or a list of these")

    def data(self, data: Any, name: str, unnamed: str = "sample") -> str:
        """What the command finds the data by; samples without names are called by this word and a number."""
        word, kept = lend(data, name, None if is_path(data) else self.layer, unnamed)
        self.kept += kept
        return word

    def names(self, value: Any) -> str:
        """A list of genes: a path or a word of the command's as it is, names as a file of them."""
        return os.fspath(value) if is_path(value) else list_of_names(value, self.folder)

    def add(self, *words: str | os.PathLike[str] | None) -> None:
        """Options and their values, one after another; an option whose value is None is left out."""
        for option, value in zip(words[::2], words[1::2], strict=True):
            if value is not None:
                self.words += [f"{option}={os.fspath(value)}"] if str(option).startswith("--") else [str(option), os.fspath(value)]

    def output(self, output: str | os.PathLike[str] | None, name: str) -> tuple[Path, Any]:
        """Where a result goes, and what owns it: nobody where the caller named the place."""
        path, owner = (self.folder() / name, self.owner) if output is None else (Path(output), None)
        self.words += ["-o", str(path)]
        return path, owner

    def run(self) -> str:
        """Runs the command and returns what it would print."""
        return run(self.words, self.threads, self.progress, self.figures)


#: Options that are lists of genes: a sequence is one of their names.
NAMES = frozenset({"landmarks", "targets", "include", "exclude", "universe"})


def is_name(item: Any) -> bool:
    """Whether an item of a list is the name of a gene rather than a file of names."""
    return isinstance(item, str) and not os.path.exists(item) and item != "l1000"


def run(
    words: list[str],
    threads: Any = None,
    progress: Progress = None,
    figures: list[tuple[str, dict[str, Any]]] | None = None,
) -> str:
    """Runs a command of these words; what it tells in figures joins ``figures``."""
    # Mesa's device-select layer orders adapters for desktops and complains on servers without one.
    os.environ.setdefault("NODEVICE_SELECT", "1")
    watch = watcher(progress, words[0] if words else "")
    task = Event("started")

    def listen(kind: str, *fields: Any) -> None:
        nonlocal task
        if kind == "started":
            task = Event(kind, task=fields[0], total=fields[1], unit=fields[2])
            event = task
        elif kind == "advanced":
            event = Event(kind, task.task, fields[0], task.total, task.unit, fields[1])
        elif kind == "figures":
            event = Event(kind, task=fields[0], text=fields[1] or "", figures=json.loads(fields[2]))
            if figures is not None:
                figures.append((event.task, event.figures))
        elif kind == "finished":
            event = Event(kind, task.task)
        else:
            event = Event(kind, text=fields[0])
        watch(event)
        if kind == "warning":
            warnings.warn(event.text, GeneliftWarning, stacklevel=outside())
        elif event.text and kind in ("note", "figures"):
            LOG.info("%s", event.text)

    known = isinstance(threads, int) and not isinstance(threads, bool) and threads > 0
    failed = True
    try:
        printed = _genelift.call(["genelift", *words], threads if known else None, listen)
        failed = False
    finally:
        watch.close(failed)
    return printed


def outside() -> int:
    """How far up the caller's own line is, counted from where a warning is given."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HERE):
        frame, level = frame.f_back, level + 1
    return level
