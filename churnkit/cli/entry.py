"""The entry point of the shell command: errors become a sentence and an exit code."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.cli.commands import app
from churnkit.errors import ChurnkitError

if TYPE_CHECKING:
    from types import FrameType
    from typing import TextIO

__all__ = ["main"]


def main() -> None:
    """Run the command line; an error becomes one sentence and its exit code."""
    debug = "--debug" in sys.argv
    # A daemon's parent may have closed them: churnkit score shop.yaml >&-
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    code: object = 0
    stopped = _listen()
    try:
        app(prog_name="churnkit")
    except SystemExit as stop:
        code = stop.code
    except KeyboardInterrupt:  # PySpark listens to Ctrl-C itself while it starts
        stopped.append(signal.SIGINT)
    except ChurnkitError as error:
        code = error.exit_code
        _complain(str(error), debug=debug, stopped=bool(stopped))
    except Exception as error:  # noqa: BLE001 - the last line of defence; nothing is swallowed
        code = 1
        hint = "" if debug else "; --debug shows where"
        sentence = f"unexpected {type(error).__name__}: {error}{hint}"
        _complain(sentence, debug=debug, stopped=bool(stopped))
    if stopped:
        sys.stderr.write(f"stopped by {stopped[0].name}\n")
        code = 128 + stopped[0]
    _leave(code if isinstance(code, int) else int(code is not None))


def _listen() -> list[signal.Signals]:
    """Let SIGTERM and Ctrl-C end what runs as an error would, and return the list of those that came.

    Left alone, SIGTERM ends a process before it removes its temporary files and marks its run as
    killed, and does nothing at all to the first process of a container. A second one ends it at
    once. What the parent has set to be ignored, as ``nohup`` does, stays so.
    """
    came: list[signal.Signals] = []

    def stop(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        came.append(signal.Signals(number))
        raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
            signal.signal(number, stop)
    return came


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _complain(sentence: str, *, debug: bool, stopped: bool) -> None:
    """Say what went wrong, unless it is what a library makes of being stopped.

    DuckDB's is "Query interrupted".
    """
    if debug:
        traceback.print_exc()
    if not stopped:
        sys.stderr.write(f"error: {sentence}\n")


def _leave(code: int) -> None:
    """End the process as the interpreter would, without its last step.

    That step unloads DuckDB's types while narwhals still holds some, which DuckDB reports as leaks
    in forty lines on stderr, long after everything is written and closed.
    """
    # Whoever read our output may have gone: churnkit list config | head
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    atexit._run_exitfuncs()
    os._exit(code)
