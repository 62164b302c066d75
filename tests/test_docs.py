"""The reference pages and the README say what the package does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def generator():
    """Return docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["commands.md", "config.md", "features.md", "metrics.md"])
def test_reference_pages_are_what_the_package_generates(page):
    """A committed page equals the generated one: ``python docs/generate.py`` writes them."""
    committed = (ROOT / "docs" / page).read_text(encoding="utf-8")

    generated = generator().PAGES[page]()

    assert generated == committed


def test_every_command_of_the_readme_exists():
    """Each ``churnkit <verb>`` in the README is a command."""
    from churnkit.cli.commands import app

    known = {c.name or c.callback.__name__ for c in app.registered_commands}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    used = set(re.findall(r"churnkit ([a-z]+)(?= |`|$)", readme, flags=re.MULTILINE))

    assert used >= {"run", "score", "backtest"}
    assert used - {"is", "with", "and", "turns"} <= known


def test_readme_python_example_runs(tmp_path, monkeypatch, capsys):
    """The Python block of the README runs as it stands, on a smaller set-up of the same data."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")

    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_no_page_names_a_path_outside_the_project():
    """Nothing shipped points above the checkout."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

    found = [page.name for page in pages if re.search(r"\.\./|/home/|/tmp/", page.read_text())]

    assert found == []
