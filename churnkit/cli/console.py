"""Where a command writes: results on stdout, progress and warnings on stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType
    from rich.status import Status

__all__ = ["Console"]

# Of a file or a pipe, which has no width of its own.
PLAIN_WIDTH = 100


def _stream(*, stderr: bool = False) -> RichConsole:
    """Return a stream; one that is no terminal is 100 columns wide unless COLUMNS says otherwise."""
    stream = RichConsole(stderr=stderr, highlight=False)
    # Some schedulers say COLUMNS=0 for "none": of that width nothing at all is printed.
    if not stream.width or (not stream.is_terminal and "COLUMNS" not in os.environ):
        stream.width = PLAIN_WIDTH
    return stream


@dataclass(kw_only=True, eq=False)
class Console:
    """The two streams of a command.

    Parameters
    ----------
    as_json : bool
        Results are one line of JSON.
    quiet : bool
        No progress and no warnings.
    """

    as_json: bool
    quiet: bool
    out: RichConsole = field(default_factory=_stream)
    err: RichConsole = field(default_factory=lambda: _stream(stderr=True))
    _began: float = field(default_factory=time.monotonic)
    _status: Status | None = None
    _step: tuple[float, str] | None = None

    @classmethod
    @contextmanager
    def opened(cls, *, as_json: bool, quiet: bool, debug: bool) -> Iterator[Console]:  # noqa: ARG003
        """Give a console, with the package's warnings on it, and end its spinner at the end."""
        console = cls(as_json=as_json, quiet=quiet)
        logger = logging.getLogger("churnkit")
        handler = _Warnings(console)
        logger.addHandler(handler)
        try:
            yield console
        finally:
            logger.removeHandler(handler)
            console.stop()

    def progress(self, message: str) -> None:
        """Say what is being done: a spinner on a terminal, a line with the time elsewhere."""
        if self.quiet:
            return
        if not self.err.is_terminal:
            seconds = time.monotonic() - self._began
            self.err.print(f"[{seconds:6.1f} s] {message}", markup=False, soft_wrap=True)
            return
        self._end_step()
        self._step = (time.monotonic(), message)
        if self._status is None:
            self._status = self.err.status("")
            self._status.start()
        self._status.update(Text(message))

    def stop(self) -> None:
        """End the spinner."""
        self._end_step()
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _end_step(self) -> None:
        if self._step is not None and self._status is not None:
            began, message = self._step
            self.err.print(f"[dim]{time.monotonic() - began:6.1f} s[/dim]  {escape(message)}")
        self._step = None

    def warn(self, message: str) -> None:
        """Show a warning."""
        if not self.quiet:
            self.err.print(f"warning: {message}", markup=False, soft_wrap=True)

    def print(self, part: RenderableType) -> None:
        """Print a table on stdout."""
        self.out.print(part)

    def say(self, sentence: str) -> None:
        """Print a sentence on stdout, wrapped on a terminal, one line elsewhere."""
        self.out.print(sentence, markup=False, soft_wrap=not self.out.is_terminal)

    def place(self, what: str, where: object) -> None:
        """Print where something was written; a path is never broken over lines."""
        self.out.print(f"{what} {where}", markup=False, soft_wrap=True)

    def finish(self, result: Any, show: Callable[[], None]) -> None:
        """Print a result: one line of JSON, or whatever ``show`` prints."""
        self.stop()
        if self.as_json:
            sys.stdout.write(json.dumps(result.to_dict(), allow_nan=False) + "\n")
            sys.stdout.flush()
        else:
            show()


class _Warnings(logging.Handler):
    """Hands the package's warnings to the console."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Show one warning."""
        self.console.warn(record.getMessage())
