"""churnkit: churn risk, customer lifetime value and retention metrics from customer histories.

Nothing heavy is imported until a verb, or a module beside the verbs, is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from churnkit.pipeline import (
        backtest,
        build_features,
        explain,
        load_config,
        report,
        retention_metrics,
        run,
        score,
        train,
        validate,
    )

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "backtest",
    "build_features",
    "explain",
    "load_config",
    "report",
    "retention_metrics",
    "run",
    "score",
    "train",
    "validate",
]

MODULES = ("btyd", "datasets", "errors", "formulas")  # as in churnkit.datasets.load_cdnow()


def __getattr__(name: str) -> Any:
    """Import a verb, or a module beside the verbs, when it is first asked for."""
    if name in MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module("churnkit.pipeline"), name)


def __dir__() -> list[str]:
    """List the verbs and the modules beside them, imported or not."""
    return sorted((*__all__, *MODULES))
