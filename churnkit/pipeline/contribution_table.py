"""The table of everybody's contributions that ``explain`` writes to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from churnkit.reasons import Contributions

__all__ = ["contribution_schema", "contribution_table"]


def contribution_schema(feature_names: Sequence[str]) -> Any:
    """Return the columns of written contributions: customer, base, and one for each feature."""
    import pyarrow as pa

    numbers = ("base", *feature_names)
    return pa.schema([("customer_id", pa.string()), *((name, pa.float64()) for name in numbers)])


def contribution_table(
    customer_ids: Sequence[str], explained: Contributions, *, feature_names: Sequence[str]
) -> pa.Table:
    """Return the contributions of some customers; see :func:`contribution_schema`."""
    import pyarrow as pa

    columns = [
        pa.array(customer_ids, pa.string()),
        pa.array(np.full(len(customer_ids), explained.base)),
        *map(pa.array, explained.values.T),
    ]
    return pa.table(columns, schema=contribution_schema(feature_names))
