"""What happens while a call goes on: events, handed to a function or drawn as a bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Union

Progress = Union[bool, None, Callable[["Event"], Any]]


@dataclass(frozen=True)
class Event:
    """Something worth telling while a call goes on.

    ``kind`` is ``"started"`` (a task begins), ``"advanced"`` (``done`` of ``total`` ``unit`` since it began), ``"finished"``,
    ``"note"`` or ``"warning"`` (``text``), or ``"figures"``: of a piece of work that is over, such as an epoch.
    """

    kind: str
    #: What is being done, such as ``"training"``; of figures what they are of, such as ``"epoch"``.
    task: str = ""
    #: Units that are finished.
    done: int = 0
    #: Units in all, or None where nobody knows.
    total: int | None = None
    #: What is counted: ``"samples"``, ``"rows"``, ``"MB"``.
    unit: str = ""
    #: A line for a reader: a note, a warning, or a short state such as the loss.
    text: str = ""
    #: Figures by name.
    figures: dict[str, Any] = field(default_factory=dict)


def is_notebook() -> bool:
    """Whether this runs in a Jupyter kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})


def watcher(progress: Progress) -> Callable[[Event], Any]:
    """Who is told: a function of the caller's, a bar, or nobody."""
    if callable(progress):
        return progress
    if progress is None:
        progress = is_notebook() or (sys.stderr is not None and sys.stderr.isatty())
    return Bar() if progress else lambda event: None


class Bar:
    """One line on standard error that is written over and over, which terminals and notebooks both show."""

    WIDTH = 30
    EVERY = 0.1  # seconds

    def __init__(self) -> None:
        self.task = self.unit = ""
        self.total: int | None = None
        self.began = self.drawn = 0.0
        self.first: int | None = None
        self.length = 0

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if event.kind == "started":
            self.clear()
            self.task, self.unit, self.total = event.task, event.unit, event.total
            self.began, self.drawn, self.first = now, 0.0, None
        elif event.kind == "advanced":
            self.first = event.done if self.first is None else self.first
            if now - self.drawn >= self.EVERY:
                self.drawn = now
                self.write(self.line(event, now - self.began))
        else:
            self.clear()

    def line(self, event: Event, seconds: float) -> str:
        """The task, how much of it is done, at what rate, and how long it will take."""
        rate = (event.done - (self.first or 0)) / seconds if seconds > 0 else 0.0
        speed = f", {rate:,.0f} {self.unit}/s" if rate >= 1 else ""
        if not self.total:
            return f"{self.task} {event.done:,} {self.unit}{speed} {event.text}"
        share = min(event.done / self.total, 1.0)
        bar = ("=" * int(share * self.WIDTH) + ">")[: self.WIDTH]
        left = f", {(self.total - event.done) / rate:,.0f} s left" if rate > 0 else ""
        return f"{self.task} [{bar:{self.WIDTH}}] {share:.0%}{speed}{left} {event.text}"

    def write(self, text: str) -> None:
        text = "".join(c if c.isprintable() else "?" for c in text)[:110]
        sys.stderr.write("\r" + text.ljust(self.length))
        sys.stderr.flush()
        self.length = len(text)

    def clear(self) -> None:
        if self.length:
            sys.stderr.write("\r" + " " * self.length + "\r")
            sys.stderr.flush()
            self.length = 0
