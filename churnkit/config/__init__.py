"""Configurations: YAML files that become frozen objects, with all faults found at once.

``values``, ``tables``, ``snapshots``, ``models``, ``retention`` and ``schema`` say what there is;
``yaml_text`` and ``reading`` take it from files; ``keys`` and ``faults`` turn what is wrong into
sentences; ``not_built`` refuses what is still to come; ``starter`` and ``listing`` write files and
documentation from it.
"""

from __future__ import annotations

from churnkit.config.columns import TABLE_COLUMNS
from churnkit.config.listing import Key, reference
from churnkit.config.reading import load_config
from churnkit.config.schema import (
    Churn,
    Config,
    Data,
    Engine,
    Label,
    LifetimeValue,
    Population,
    Report,
    Retention,
    RiskBands,
    Scoring,
    Snapshots,
    Tracking,
)
from churnkit.config.starter import StarterTable, starter_config
from churnkit.config.tables import Table

__all__ = [
    "TABLE_COLUMNS",
    "Churn",
    "Config",
    "Data",
    "Engine",
    "Key",
    "Label",
    "LifetimeValue",
    "Population",
    "Report",
    "Retention",
    "RiskBands",
    "Scoring",
    "Snapshots",
    "StarterTable",
    "Table",
    "Tracking",
    "load_config",
    "reference",
    "starter_config",
]
