"""Opens the engine that runs the queries and hands out narwhals LazyFrames.

An engine reads files into views, gives the few SQL expressions in which engines differ (reading
times, numbers and text from a source's own types), keeps intermediate tables, and returns rows as
Arrow. Everything between is narwhals and the same on every engine.
"""

from __future__ import annotations

from churnkit.engines.csv_layout import csv_encoding
from churnkit.engines.duckdb_engine import DuckDBEngine
from churnkit.engines.engine import (
    ENGINE_SAYS,
    ENGINES,
    ClusterEngine,
    Engine,
    Peers,
    literal,
    quoted,
)
from churnkit.engines.spark_engine import SparkEngine

__all__ = [
    "ENGINES",
    "ENGINE_SAYS",
    "ClusterEngine",
    "DuckDBEngine",
    "Engine",
    "Peers",
    "SparkEngine",
    "csv_encoding",
    "literal",
    "quoted",
]
