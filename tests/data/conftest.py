"""Fixtures for the data room: tables of orders, read by an engine that knows sources."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from churnkit.data.contracts import CONTRACTS
from churnkit.data.sources import TableSpec, load_table

NOW_US = 1_735_689_600_000_000  # 2025-01-01, so that no test depends on the day it runs


@pytest.fixture
def read(reader):
    """Give a function that loads orders and returns rows, rejected rows, counts and the report."""

    def load(
        source,
        *,
        table="orders",
        columns=None,
        not_there=(),
        computed=None,
        constants=None,
        filter=None,
        label=None,
        encoding="utf-8",
        **options,
    ):
        spec = TableSpec(
            source=source,
            columns=columns or {},
            not_there=frozenset(not_there),
            computed=computed or {},
            constants=constants or {},
            filter=filter,
            label=label,
            encoding=encoding,
        )
        options = {"time_zone": "UTC", "now_us": NOW_US} | options
        loaded = load_table(spec, contract=CONTRACTS[table](), engine=reader, **options)
        return SimpleNamespace(
            rows=reader.collect(loaded.rows).to_pylist(),
            rejected=reader.collect(loaded.rejected).to_pylist(),
            broken={c.name: c.rows for c in loaded.report.checks if c.rows},
            examples={c.name: c.examples for c in loaded.report.checks if c.rows},
            report=loaded.report,
            loaded=loaded,
        )

    return load
