"""Writes the rows that were set aside beside the result that does without them."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.data.sinks import open_sink

if TYPE_CHECKING:
    from churnkit.pipeline.session import Session

__all__ = ["write_rejected"]

BATCH_ROWS = 50_000


def write_rejected(session: Session, target: Path) -> dict[str, Any]:
    """Write the rows set aside beside a result, or remove those of an earlier run.

    Returns
    -------
    dict
        By table: ``path`` and ``rows``; tables of which no row was set aside are not in it.
    """
    import pyarrow as pa

    written: dict[str, Any] = {}
    for name, table in session.loaded.items():
        suffix = ".rejected.parquet" if name == "orders" else f".{name}.rejected.parquet"
        path = Path(f"{target}{suffix}")
        if not table.report.rows_set_aside:
            path.unlink(missing_ok=True)
            continue
        batches = session.engine.batches(table.rejected, rows=BATCH_ROWS)
        first = next(batches)
        with open_sink(path, schema=first.schema) as sink:
            for batch in chain([first], batches):
                sink.write(pa.Table.from_batches([batch]))
        written[name] = {"path": str(path), "rows": table.report.rows_set_aside}
    return written
