"""What the verbs return: plain objects that a notebook can show and a job can store."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from churnkit.data.contracts import TableReport
    from churnkit.evaluation.backtest import Backtest
    from churnkit.labels import HorizonAdvice
    from churnkit.pipeline.metrics import MetricsResult
    from churnkit.pipeline.reporting import ReportResult

__all__ = ["RunResult", "ScoreResult", "TrainResult", "ValidationResult"]


@dataclass(frozen=True, kw_only=True)
class ValidationResult:
    """What was read, which rows were set aside and why, and which snapshots the history allows."""

    name: str
    config_hash: str
    tables: tuple[TableReport, ...] = field(repr=False)
    first_day: str
    end_day: str
    train_cutoffs: tuple[str, ...]
    test_cutoffs: tuple[str, ...]
    skipped: Mapping[str, str] = field(repr=False)
    horizons: HorizonAdvice | None = field(default=None, repr=False)
    uncounted_event_types: Mapping[str, int] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "config_hash": self.config_hash,
            "tables": [table.to_dict() for table in self.tables],
            "first_day": self.first_day,
            "end_day": self.end_day,
            "train_cutoffs": list(self.train_cutoffs),
            "test_cutoffs": list(self.test_cutoffs),
            "skipped": dict(self.skipped),
            "horizons": None if self.horizons is None else asdict(self.horizons),
            "uncounted_event_types": dict(self.uncounted_event_types),
        }

    def to_pandas(self) -> Any:
        """Return one row per table and broken rule, and per table the rows read and used."""
        import pandas as pd

        rows = []
        for table in self.tables:
            rows.append({"table": table.table, "check": "rows read", "rows": table.rows_read})
            rows += [
                {
                    "table": table.table,
                    "check": check.sentence,
                    "rows": check.rows,
                    "fate": "set aside" if check.set_aside else "kept",
                    "such as": ", ".join(check.examples[:3]),
                }
                for check in table.checks
                if check.rows
            ]
            rows.append({"table": table.table, "check": "rows used", "rows": table.rows_used})
        columns = ["table", "check", "rows", "fate", "such as"]
        return pd.DataFrame(rows, columns=columns).fillna({"fate": "", "such as": ""})


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """A trained, tested, saved and registered model.

    Attributes
    ----------
    name, version : str
        In the registry.
    run_id : str
        Of the tracked run.
    bundle_folder : Path
        Where the model is.
    backtest : Backtest
        Metrics of the model and the baselines on the test snapshots.
    is_champion : bool
        Whether the alias ``champion`` was moved to this version.
    champion_reason : str
        Why, in a sentence.
    notes : mapping
        What training chose.
    """

    name: str
    version: str
    run_id: str
    bundle_folder: Path
    backtest: Backtest
    is_champion: bool
    champion_reason: str
    notes: Mapping[str, Any] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "run_id": self.run_id,
            "bundle_folder": str(self.bundle_folder),
            "is_champion": self.is_champion,
            "champion_reason": self.champion_reason,
            "backtest": self.backtest.to_dict(),
            "notes": dict(self.notes),
        }

    def to_pandas(self) -> Any:
        """Return one row per test cutoff and model or baseline, one column per metric."""
        return self.backtest.to_pandas()


@dataclass(frozen=True, kw_only=True)
class ScoreResult:
    """A written score table and its manifest."""

    output: Path
    manifest: Mapping[str, Any] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest."""
        return dict(self.manifest)

    @property
    def part(self) -> list[tuple[str, str, str]] | None:
        """What readers of Parquet filter by: a folder on a cluster holds other dates too."""
        return [("as_of", "==", self.manifest["as_of"])] if self.output.is_dir() else None

    def to_pandas(self) -> Any:
        """Return the score table, read back from where it was written."""
        import pandas as pd

        if self.output.suffix.lower() != ".csv":
            return pd.read_parquet(self.output, filters=self.part)
        # Only an empty cell is a null: a customer may be called NA, or 007.
        texts = {"customer_id": str, "model_version": str}
        return pd.read_csv(self.output, dtype=texts, keep_default_na=False, na_values=[""])


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Everything that ``run`` did."""

    validation: ValidationResult
    train: TrainResult
    score: ScoreResult
    metrics: MetricsResult
    report: ReportResult

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "validation": self.validation.to_dict(),
            "train": self.train.to_dict(),
            "score": self.score.to_dict(),
            "metrics": self.metrics.to_dict(),
            "report": self.report.to_dict(),
        }
