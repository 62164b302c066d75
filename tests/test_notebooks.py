"""The committed notebooks: executed from top to bottom, small, with pictures, by the public door only."""

from __future__ import annotations

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
# What only some machine has: home and temporary folders, drives, environments.
OF_A_MACHINE = re.compile(
    r"/(?:home|root|tmp|Users|private|opt|usr|work)/|[A-Z]:\\\\|site-packages|ipykernel"
)


@pytest.fixture(params=NOTEBOOKS)
def notebook(request):
    """Give each notebook in turn."""
    return json.loads((FOLDER / request.param).read_text(encoding="utf-8"))


def code_cells(notebook):
    """Return the cells with code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook):
    """Return the outputs of all cells."""
    return [output for cell in code_cells(notebook) for output in cell["outputs"]]


def test_series_is_complete():
    """There are six notebooks, numbered in the order in which they are read."""
    numbers = [name[:2] for name in NOTEBOOKS]

    assert numbers == ["01", "02", "03", "04", "05", "06"]


def test_cells_ran_once_in_their_order_without_error(notebook):
    """Every cell with code was run, from the first to the last, and none failed."""
    counts = [cell["execution_count"] for cell in code_cells(notebook)]

    assert counts == list(range(1, len(counts) + 1))
    assert [o for o in outputs(notebook) if o["output_type"] == "error"] == []


def test_reads_like_an_article(notebook):
    """A title and a question open it, pictures are in it, and no two cells of code stand alone."""
    first = "".join(notebook["cells"][0]["source"])
    kinds = [cell["cell_type"][0] for cell in notebook["cells"]]
    pictures = [o for o in outputs(notebook) if "image/png" in o.get("data", {})]

    assert re.match(r"# \d · .+", first)
    assert "?**" in first
    assert "cccc" not in "".join(kinds)
    assert len(pictures) >= 3
    assert "What it means" in json.dumps(notebook, ensure_ascii=False)


def test_outputs_name_no_place_of_a_machine(notebook):
    """No path of the machine that ran it is in any output."""
    texts = [
        "".join(text)
        for o in outputs(notebook)
        for kind, text in {**o.get("data", {}), "stream": o.get("text", "")}.items()
        if not kind.startswith("image/")
    ]

    found = [match.group() for text in texts for match in OF_A_MACHINE.finditer(text)]

    assert texts
    assert found == []


def test_uses_public_names_only(notebook):
    """Names of churnkit are imported from where they are public, and none begins with an underscore."""
    for cell in code_cells(notebook):
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "churnkit":
                known = importlib.import_module(node.module).__all__
                assert {alias.name for alias in node.names} <= set(known)
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_")


def test_folder_is_small():
    """All notebooks together weigh less than 3 MB, so that a clone stays quick."""
    assert sum(path.stat().st_size for path in FOLDER.glob("*.ipynb")) < 3_000_000
