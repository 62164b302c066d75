"""Where a command writes."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console as RichConsole

from churnkit.cli.console import Console


@pytest.fixture
def terminal():
    """Give a console whose streams are terminals of 40 columns, kept as text."""

    def make(**options):
        out, err = (
            RichConsole(file=io.StringIO(), force_terminal=True, width=40, highlight=False)
            for _ in range(2)
        )
        return Console(**{"as_json": False, "quiet": False, "out": out, "err": err, **options})

    return make


def test_lines_with_the_time_where_there_is_no_terminal(capsys):
    """Progress in a log is one line a step, on stderr."""
    console = Console(as_json=False, quiet=False)

    console.progress("reading [the] data " + "x" * 200)

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("[   0.0 s] reading [the] data xxx")
    assert len(captured.err.splitlines()) == 1


def test_steps_stay_on_a_terminal(terminal):
    """A finished step stays with its time; brackets in it are no markup."""
    console = terminal()

    console.progress("reading [red]")
    console.progress("training")
    console.stop()

    shown = console.err.file.getvalue()
    assert "reading [red]" in shown
    assert "training" in shown


def test_quiet_says_nothing(capsys):
    """Neither progress nor warnings."""
    with Console.opened(as_json=False, quiet=True, debug=False) as console:
        console.progress("reading")
        logging.getLogger("churnkit").warning("careful")

    assert capsys.readouterr() == ("", "")


def test_warnings_of_the_package_are_shown_once_open(capsys):
    """The log of the package reaches stderr while a command runs, and not after it."""
    with Console.opened(as_json=False, quiet=False, debug=False):
        logging.getLogger("churnkit").warning("snapshot %s left out", "2011-01-01")

    assert capsys.readouterr().err == "warning: snapshot 2011-01-01 left out\n"


def test_places_are_never_broken(terminal):
    """A path can be copied from a narrow terminal."""
    console = terminal()

    console.place("Scores:", "/a/very/long/folder/name/that/has/[no]/end/scores.parquet")

    (line,) = console.out.file.getvalue().splitlines()
    assert line == "Scores: /a/very/long/folder/name/that/has/[no]/end/scores.parquet"


def test_sentences_wrap_on_a_terminal(terminal):
    """A sentence of more than a line breaks between words."""
    console = terminal()

    console.say("Train at twelve cutoffs, the first of them long ago, the last not.")

    lines = console.out.file.getvalue().splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= 40
