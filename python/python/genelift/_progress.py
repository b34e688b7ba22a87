"""What happens while a call goes on: events, handed to a function or drawn as a bar."""

from __future__ import annotations

import html
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Union

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


class Listener:
    """Tells a function of the caller's, or nobody."""

    def __init__(self, function: Callable[[Event], Any] | None = None) -> None:
        self.function = function

    def __call__(self, event: Event) -> None:
        if self.function is not None:
            self.function(event)

    def close(self, failed: bool = False) -> None:
        """The call is over, by an exception or well."""


def watcher(progress: Progress, command: str = "") -> Listener:
    """Who is told what ``command`` does: a function of the caller's, a bar, or nobody."""
    if callable(progress):
        return Listener(progress)
    if progress is None:
        progress = is_notebook() or (sys.stderr is not None and sys.stderr.isatty())
    if not progress:
        return Listener()
    return NotebookBar(command) if is_notebook() else Bar()


class Bar(Listener):
    """One line on standard error that is written over and over, and blank when the call is over."""

    WIDTH = 30
    EVERY = 0.1  # seconds

    def __init__(self) -> None:
        super().__init__()
        self.task = self.unit = ""
        self.total: int | None = None
        self.share: float | None = None
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
        state = f", {event.text}" if event.text else ""
        self.share = min(event.done / self.total, 1.0) if self.total else None
        if not self.total or self.share is None:
            return f"{self.task} {event.done:,} {self.unit}{speed}{state}"
        left = f", {(self.total - event.done) / rate:,.0f} s left" if rate > 0 else ""
        told = f"{self.share:.0%}{speed}{left}{state}"
        return f"{self.task} {self.drawing(self.share, len(self.task) + len(told) + 1)}{told}"

    def drawing(self, share: float, beside: int) -> str:
        """The bar of a line of text that has this many characters beside it: as long as the terminal leaves, and none below ten."""
        width = min(self.WIDTH, columns() - beside - len("[] "))
        if width < 10:
            return ""
        bar = ("=" * int(share * width) + ">")[:width]
        return f"[{bar:{width}}] "

    def write(self, text: str) -> None:
        text = shown(text)[: columns()]
        sys.stderr.write("\r" + text.ljust(self.length))
        sys.stderr.flush()
        self.length = len(text)

    def clear(self) -> None:
        if self.length:
            sys.stderr.write("\r" + " " * self.length + "\r")
            sys.stderr.flush()
            self.length = 0

    def close(self, failed: bool = False) -> None:
        self.clear()


class NotebookBar(Bar):
    """An output of the cell that is written over: the bar as HTML beside the line, and in the end what the call took.

    A call that is over before there is anything to wait for shows nothing. Standard error is left to warnings: notebooks mark it, and
    keep every line of it that was written over.
    """

    EVERY = 0.2  # seconds: each update is a message to the browser
    PATIENCE = 0.5  # seconds

    #: By which a reader of the notebook's file, such as ``scripts/notebooks.py``, knows an output that is of the clock.
    METADATA: ClassVar[dict[str, Any]] = {"genelift": "progress"}

    def __init__(self, command: str) -> None:
        super().__init__()
        self.command, self.called = command, time.monotonic()
        self.handle: Any = None

    def drawing(self, share: float, beside: int) -> str:
        return ""

    def write(self, text: str) -> None:
        if self.handle is not None or time.monotonic() - self.called >= self.PATIENCE:
            self.show(shown(text), self.share)

    def show(self, text: str, share: float | None = None) -> None:
        """Shows a line in place of what stood there."""
        bar = "" if share is None else f'<progress value="{share:.3f}" max="1" style="width: 16em"></progress> '
        bundle = {"text/plain": text, "text/html": f"<code>{bar}{html.escape(text)}</code>"}
        if self.handle is None:
            from IPython.display import DisplayHandle

            self.handle = DisplayHandle()
            self.handle.display(bundle, raw=True, metadata=self.METADATA)
        else:
            self.handle.update(bundle, raw=True, metadata=self.METADATA)

    def clear(self) -> None:
        """Between two tasks the line stays, so that what is below it does not jump."""

    def close(self, failed: bool = False) -> None:
        if self.handle is not None:
            seconds = time.monotonic() - self.called
            self.show(f"{self.command}: " + (f"stopped after {seconds:,.1f} s" if failed else f"{seconds:,.1f} s"))


def columns() -> int:
    """How long a line may be: one that a terminal wraps cannot be written over."""
    return shutil.get_terminal_size((100, 24)).columns - 1


def shown(text: str) -> str:
    """A line as it is shown: printable, and of a length that is read at a glance."""
    return "".join(c if c.isprintable() else "?" for c in text)[:110]
