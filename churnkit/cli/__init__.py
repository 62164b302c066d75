"""The same verbs for a shell: ``churnkit run configs/online_retail_ii.yaml``."""

from __future__ import annotations

from churnkit.cli.commands import app
from churnkit.cli.entry import main

__all__ = ["app", "main"]
