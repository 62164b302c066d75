"""One self-contained HTML page per run, and the card that goes with a model."""

from __future__ import annotations

from churnkit.reporting.customers import MOST_CUSTOMERS, CustomerView
from churnkit.reporting.drivers import DriverSample
from churnkit.reporting.level import LevelPoint
from churnkit.reporting.model_card import CARD_FILE, model_card
from churnkit.reporting.page import Report, render_report
from churnkit.reporting.quality import TestOutcome

__all__ = [
    "CARD_FILE",
    "MOST_CUSTOMERS",
    "CustomerView",
    "DriverSample",
    "LevelPoint",
    "Report",
    "TestOutcome",
    "model_card",
    "render_report",
]
