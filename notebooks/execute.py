"""Executes the notebooks in a copy of their folder; writes them back, or with --check leaves them."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent
MOST_SECONDS = 900
"""Of processor time for all notebooks together: a slow, busy machine took 430."""

PATIENCE = 900
"""Seconds after which a single cell is given up."""


def main() -> int:
    """Execute the notebooks that are named, or all, and say how long each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of file names, such as 03")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    wanted = parser.parse_args()
    paths = [
        path
        for path in sorted(FOLDER.glob("*.ipynb"))
        if not wanted.names or path.name.startswith(tuple(wanted.names))
    ]
    # Readers draw plotly's figures in the browser; what is committed are pictures.
    os.environ.setdefault("PLOTLY_RENDERER", "png")
    # On data of this size a second thread of LightGBM mostly waits, and burns a core while it does.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # shap asks for tqdm, which misses a widget that nothing here needs.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")
    if (browser := shutil.which("chromium")) is not None:
        os.environ.setdefault("BROWSER_PATH", browser)
    faults = []
    for path in paths:
        start, used = time.monotonic(), of_kernels()
        notebook = executed(path)
        took = f"{time.monotonic() - start:.0f} s, {of_kernels() - used:.0f} s of the processor"
        print(f"{path.name}: {took}", flush=True)
        if wanted.check:
            before = nbformat.read(path, as_version=4)
            faults += [f"{path.name}: {fault}" for fault in differences(before, notebook)]
        else:
            nbformat.write(notebook, path)
    if of_kernels() > MOST_SECONDS:
        faults.append(
            f"the notebooks took {of_kernels():.0f} s of the processor, over {MOST_SECONDS}"
        )
    print("\n".join(faults))
    return 1 if faults else 0


def of_kernels() -> float:
    """Return the processor time of the kernels that have ended, in seconds."""
    times = os.times()
    return times.children_user + times.children_system


def executed(path: Path) -> Any:
    """Return a notebook as a fresh kernel makes it, without times and names of this machine."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        for beside in FOLDER.glob("*.mplstyle"):
            shutil.copy(beside, folder)
        client = NotebookClient(
            notebook,
            timeout=PATIENCE,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            record_timing=False,
        )
        client.execute()
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{path.name[:2]}-{number:02d}"
        cell.metadata.clear()
        if cell.cell_type == "code":
            cell.outputs = [tidy(output) for output in merged(cell.outputs)]
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return notebook


def merged(outputs: list[Any]) -> list[Any]:
    """Return outputs with the pieces of one stream put together: how they are cut is chance."""
    whole: list[Any] = []
    for output in outputs:
        last = whole[-1] if whole else None
        if last is not None and output.output_type == "stream" and last.get("name") == output.name:
            last.text += output.text
        else:
            whole.append(output)
    return whole


def tidy(output: Any) -> Any:
    """Return an output without the text that stands for a picture where no picture can be shown."""
    data = output.get("data", {})
    if any(kind.startswith("image/") for kind in data):
        output.data = {kind: data[kind] for kind in data if kind.startswith("image/")}
        output.metadata = {}
    return output


def differences(before: Any, after: Any) -> list[str]:
    """Return the cells whose outputs are of other kinds than those committed."""
    return [
        f"cell {number}: its outputs are of kinds {kinds(new)}, the committed ones of {kinds(old)}"
        for number, (old, new) in enumerate(zip(before.cells, after.cells, strict=True))
        if kinds(old) != kinds(new)
    ]


def kinds(cell: Any) -> list[str]:
    """Return what kinds of output a cell has, in order."""
    return [
        "+".join(sorted(output.data)) if "data" in output else output.get("name", "error")
        for output in cell.get("outputs", [])
    ]


if __name__ == "__main__":
    sys.exit(main())
