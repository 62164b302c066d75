"""churnkit: churn risk, customer lifetime value and retention metrics from customer histories."""

from __future__ import annotations

__version__ = "0.1.0"
