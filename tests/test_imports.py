"""What importing churnkit, and asking for help, costs."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import churnkit

ROOT = Path(churnkit.__file__).parents[1]
HEAVY = {
    "duckdb",
    "lightgbm",
    "mlflow",
    "narwhals",
    "numpy",
    "pandas",
    "plotly",
    "polars",
    "pyarrow",
    "pyspark",
    "scipy",
    "shap",
    "sklearn",
}
SAY = f"; import sys; print(sorted({HEAVY} & {{name.split('.')[0] for name in sys.modules}}))"
HELP = """
import sys
import churnkit.cli.entry as entry
sys.argv = ["churnkit", *{arguments}]
entry._leave = lambda code: print("code", code)
entry.main()
"""


def python(code):
    """Run code in a fresh interpreter and return its standard output."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.stdout


def test_import_loads_nothing_heavy():
    """``import churnkit`` loads no library that takes time."""
    assert python(f"import churnkit{SAY}") == "[]\n"


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments):
    """Help of the command and of its verbs loads no library that takes time."""
    printed = python(HELP.format(arguments=arguments) + SAY.removeprefix("; "))

    assert printed.splitlines()[-2:] == ["code 0", "[]"]


def test_help_takes_no_time():
    """``churnkit --help`` needs well under a second of processor time, and it is mostly Python's."""
    before = os.times()

    python(HELP.format(arguments=["--help"]))

    after = os.times()
    used = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    assert used < 1.0


def test_front_door_is_small_sorted_and_true():
    """Every name of ``__all__`` is there, whatever was imported; unknown names are refused."""
    names = churnkit.__all__

    for module in pkgutil.iter_modules(churnkit.__path__):
        importlib.import_module(f"churnkit.{module.name}")

    assert names == sorted(names)
    assert set(dir(churnkit)) == {*names, *churnkit.MODULES}
    # A room named like a verb would take the verb's place once it is imported.
    assert all(callable(getattr(churnkit, name)) for name in names if name != "__version__")
    with pytest.raises(AttributeError, match=r"module 'churnkit' has no attribute 'scor'"):
        churnkit.scor  # noqa: B018


@pytest.mark.parametrize("first", ["", ", churnkit.errors"])
def test_modules_beside_the_verbs_need_no_import(first):
    """``churnkit.errors`` is there after ``import churnkit``, and imported by itself too."""
    began = time.monotonic()

    printed = python(f"import churnkit{first}; print(churnkit.errors.DataError.exit_code)")

    assert printed == "3\n"
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("name", churnkit.MODULES)
def test_every_module_beside_the_verbs_is_there(name):
    """Each is imported when it is first asked for."""
    printed = python(f"import churnkit; print(churnkit.{name}.__name__)")

    assert printed == f"churnkit.{name}\n"
