"""What a test at one cutoff found, and what is wrong with the model there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from churnkit.evaluation.guards import coverage_is_off, level_is_off

if TYPE_CHECKING:
    from churnkit.evaluation.guards import Skill
    from churnkit.evaluation.skill import SnapshotGains

__all__ = ["Metrics", "SnapshotResult"]

Metrics = dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class SnapshotResult:
    """Metrics of the model and the baselines at one test cutoff.

    Attributes
    ----------
    cutoff : str
        ISO date.
    horizon_days, customers, train_rows : int
        The horizon, the population at the cutoff, and the rows the model was trained on.
    models : dict of str to dict
        ``model`` and baseline names → metric names → values. Baselines that could not be fitted
        are absent.
    skill : Skill or None
        Whether the model ranks customers better than the base rate, beyond noise.
    calibration : dict or None
        Of the model: ``ece`` with its 95 % interval (``ece_low``, ``ece_high``), the ``reliability``
        table as columns, and ``spend_total``: expected, low, high, actual.
    gains : SnapshotGains or None
        Of subscribers, whose skill all cutoffs of a test show together.
    """

    cutoff: str
    horizon_days: int
    customers: int
    train_rows: int
    models: dict[str, Metrics]
    skill: Skill | None = None
    calibration: dict[str, Any] | None = None
    gains: SnapshotGains | None = field(default=None, repr=False, compare=False)

    @property
    def no_skill(self) -> str | None:
        """Why the model cannot be said to be better than the base rate at this cutoff, or None.

        Of subscribers only where the ranking cannot be judged: see :attr:`Backtest.contract_skill`.
        """
        if self.skill is None or self.skill.has_skill:
            return None
        if self.skill.auc is None:
            whom = "all" if self.models["model"]["churn.base_rate"] else "none"
            return (
                f"test at {self.cutoff}: {whom} of the {self.customers:,} customers churned, so the"
                " ranking cannot be judged; choose another snapshots.horizon_days"
            )
        if self.gains is not None:
            return None
        return (
            f"test at {self.cutoff}: the model is no better than the base rate"
            f" (AUC {_shown(self.skill.auc)}, 95 % interval from {_shown(self.skill.auc_low)})"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the model at this cutoff, a sentence each; empty if nothing is."""
        found = [] if self.no_skill is None else [self.no_skill]
        bias = self.models["model"].get("spend.total_bias")
        if bias is not None and level_is_off(bias):
            found.append(
                f"test at {self.cutoff}: total expected spend is {100 * bias:+.0f} % off the actual"
                " total, more than 10 %"
            )
        covered, stated = (
            self.models["model"].get(f"spend.interval_{name}")
            for name in ("coverage", "stated_coverage")
        )
        if covered is not None and stated is not None and coverage_is_off(covered, stated=stated):
            found.append(
                f"test at {self.cutoff}: the spend intervals hold {100 * covered:.0f} % of the"
                f" customers and say {100 * stated:.0f} %"
            )
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "cutoff": self.cutoff,
            "horizon_days": self.horizon_days,
            "customers": self.customers,
            "train_rows": self.train_rows,
            "models": self.models,
            "calibration": self.calibration,
        }


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
