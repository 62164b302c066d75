"""The verb ``explain``: what drives churn, over everybody and for single customers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.data.sinks import open_sink
from churnkit.data.windows import Snapshot
from churnkit.errors import DataError
from churnkit.features.build import build_features
from churnkit.features.named import make_builders
from churnkit.models.base import FeatureMatrix, base_numbers, eligible_customers
from churnkit.pipeline.registered import open_bundle
from churnkit.pipeline.results import ExplainResult
from churnkit.pipeline.session import as_config, open_session
from churnkit.reasons import ExplainedSample, Sampler, contributions, phrases_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from churnkit.config import Config
    from churnkit.models.bundle import Bundle

__all__ = ["explain"]

BATCH_ROWS = 50_000
SAMPLE_ROWS = 5_000


def explain(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    customers: Sequence[str] = (),
    as_of: date | str | None = None,
    model: str | Path | None = None,
    output: Path | str | None = None,
    progress: Callable[[str], None] | None = None,
) -> ExplainResult:
    """Say what drives churn, over the population and for single customers.

    Parameters
    ----------
    config : Config, mapping or path
    tables : mapping of str to frame, optional
        Frames in place of configured sources.
    customers : sequence of str
        Customers to explain one by one; each must be in the population at ``as_of``.
    as_of, model : optional
        As for :func:`score`.
    output : path, optional
        ``.parquet`` or ``.csv`` file for the contributions of everybody in the population.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    DataError
        If nobody, or not every customer asked for, is in the population.
    """
    config = as_config(config)
    bundle = open_bundle(config, model)
    with open_session(
        config, tables=tables, as_of=as_of, bundle=bundle, progress=progress
    ) as session:
        builders = make_builders(bundle.features)
        session.progress(f"explaining as of {session.as_of}")
        explained = _Explained(bundle=bundle, wanted=frozenset(customers))
        snapshot = Snapshot(
            cutoff=session.as_of, time_zone=bundle.data["time_zone"], **bundle.snapshot
        )
        batches = build_features(session.read.history, snapshot, builders=builders).batches(
            rows=BATCH_ROWS
        )
        if output is None:
            for batch in batches:
                explained.see(batch, snapshot)
        else:
            with open_sink(output, schema=_contribution_schema(bundle)) as sink:
                for batch in batches:
                    sink.write(explained.see(batch, snapshot))
    if unknown := sorted(set(customers) - set(explained.customers)):
        msg = (
            f"explain: no such customer in the population as of {session.as_of}:"
            f" {', '.join(unknown)}"
        )
        raise DataError(msg)
    phrases = phrases_of(builders)
    return ExplainResult(
        as_of=str(session.as_of),
        model_version=bundle.version,
        drivers=explained.drivers({name: p.text for name, p in phrases.items()}),
        sample=explained.sample({name: p.text.format(value="…") for name, p in phrases.items()}),
        customers={
            name: [
                {**row, "says": phrases[row["feature"]].say(row["value"], typical=row["typical"])}
                for row in explained.customers[name]
            ]
            for name in customers
        },
        output=None if output is None else Path(output),
    )


def _contribution_schema(bundle: Bundle) -> Any:
    import pyarrow as pa

    numbers = ("base", *bundle.feature_names)
    return pa.schema([("customer_id", pa.string()), *((name, pa.float64()) for name in numbers)])


@dataclass(kw_only=True, eq=False)
class _Explained:
    """Sums of contributions over a population, and the rows of customers asked for."""

    bundle: Bundle
    wanted: frozenset[str]
    rows: int = 0
    total: Any = 0.0
    base: float = 0.0
    sampler: Sampler = field(default_factory=lambda: Sampler(size=SAMPLE_ROWS))
    customers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def see(self, batch: Any, snapshot: Snapshot) -> Any:
        """Explain the eligible customers of a batch and return their contributions as a table."""
        import pyarrow as pa

        names = self.bundle.feature_names
        eligible = eligible_customers(base_numbers(batch), snapshot, **self.bundle.population)
        kept = batch.filter(eligible)
        matrix = FeatureMatrix.from_arrow(kept, names=names)
        found = contributions(self.bundle.models.churn.learner, matrix)
        self.rows += len(found.values)
        self.total = self.total + np.abs(found.values).sum(axis=0)
        ids = kept.column("customer_id").to_pylist()
        if ids:
            self.base = found.base
            self.sampler.see(ids, matrix.values, found.values)
        for position, customer in enumerate(ids):
            if customer in self.wanted:
                self.customers[customer] = self._one(
                    matrix.values[position], found.values[position]
                )
        base = np.full(len(ids), found.base)
        columns = [pa.array(ids, pa.string()), pa.array(base), *map(pa.array, found.values.T)]
        return pa.table(columns, schema=_contribution_schema(self.bundle))

    def _one(self, values: Any, weights: Any) -> list[dict[str, Any]]:
        order = np.argsort(-np.abs(weights), kind="stable")
        return [
            {
                "feature": self.bundle.feature_names[i],
                "value": None if np.isnan(values[i]) else float(values[i]),
                "typical": self.bundle.typical.get(self.bundle.feature_names[i]),
                "contribution": float(weights[i]),
            }
            for i in order
        ]

    def sample(self, says: Mapping[str, str]) -> ExplainedSample:
        """Return the customers drawn, for plots."""
        ids, (values, weights) = self.sampler.drawn()
        return ExplainedSample(
            customer_ids=ids,
            feature_names=self.bundle.feature_names,
            says=says,
            values=values,
            contributions=weights,
            base=self.base,
        )

    def drivers(self, texts: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return mean |contribution| by feature, the strongest first."""
        if not self.rows:
            msg = "explain: nobody is in the population"
            raise DataError(msg)
        mean = np.asarray(self.total) / self.rows
        return [
            {
                "feature": self.bundle.feature_names[i],
                "mean_contribution": float(mean[i]),
                "says": texts[self.bundle.feature_names[i]].format(value="…"),
            }
            for i in np.argsort(-mean, kind="stable")
        ]
