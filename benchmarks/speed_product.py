"""What churnkit does with the same files: reading, features, company metrics, training, scoring."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from speed_measure import resident
from speed_reference import GroupBy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from speed_measure import Clock

    from churnkit.engines import DuckDBEngine
    from churnkit.features.history import ReadHistory

__all__ = ["bare_lightgbm", "company", "features", "purchase", "score", "train"]

COLUMNS = ("customer_id", "ts", "amount", "order_id", "product_id", "quantity")
N_FEATURES = 60
ROUNDS = 60


def _engine(threads: int, memory_limit: str | None, temp: str | None) -> DuckDBEngine:
    from churnkit.engines import DuckDBEngine

    return DuckDBEngine(threads=threads, memory_limit=memory_limit, temp_directory=temp)


def _read(
    clock: Clock, path: str, engine: DuckDBEngine, *, events: str | None = None
) -> ReadHistory:
    from churnkit.data.sources import TableSpec
    from churnkit.features.history import read_history

    sources = {"orders": TableSpec(source=path)}
    if events is not None:
        sources["events"] = TableSpec(source=events)
    with clock.step("reading, checks, sort"):
        return read_history(sources, engine=engine, time_zone="UTC")


def features(
    clock: Clock,
    *,
    path: str,
    sets: Mapping[str, Sequence[str]],
    cutoffs: Sequence[str],
    threads: int,
    memory_limit: str | None = None,
    temp: str | None = None,
    events: str | None = None,
) -> None:
    """Read a file, and stream the features of every customer at each cutoff, one step a set.

    After each cutoff the unit is measured, so that a machine whose speed drifts moves both.
    """
    from churnkit.data.windows import Snapshot
    from churnkit.features.build import FEATURE_BUILDERS, build_features

    with _engine(threads, memory_limit, temp) as engine:
        read = _read(clock, path, engine, events=events)
        unit = GroupBy(path, threads=threads, events=events)
        for i, cutoff in enumerate(cutoffs):
            snapshot = Snapshot(
                cutoff=date.fromisoformat(cutoff), observation_days=730, horizon_days=90
            )
            for name, builders in sets.items():
                with clock.step(name):
                    chosen = [FEATURE_BUILDERS[builder]() for builder in builders]
                    table = build_features(read.history, snapshot, builders=chosen)
                    rows = sum(batch.num_rows for batch in table.batches(rows=100_000))
                done = {"feature_rows": rows, "features": len(table.feature_names)}
                clock.facts[name] = done
            with clock.step(f"run {i}"):
                unit()


def company(
    clock: Clock,
    *,
    path: str,
    threads: int,
    memory_limit: str | None = None,
    temp: str | None = None,
) -> None:
    """All company metrics that orders allow, for each of 24 months."""
    from churnkit.retention.company import retention_metrics

    with _engine(threads, memory_limit, temp) as engine:
        read = _read(clock, path, engine)
        with clock.step("24 months"):
            found = retention_metrics(
                {"orders": read.history.tables["orders"]},
                engine=engine,
                time_zone="UTC",
                start=date(2023, 1, 1),
                end=date(2025, 1, 1),
                every="month",
            )
        clock.facts["rows"] = len(found.rows)


def _snapshots(rows: int, snapshots: int) -> list[Any]:
    """Return labelled snapshots of made-up customers: 60 features, of which ten tell something."""
    from datetime import timedelta

    from churnkit.data.windows import Snapshot
    from churnkit.models.base import FeatureMatrix, LabelledSnapshot

    rng = np.random.default_rng(7)
    each, made = rows // snapshots, []
    names = tuple(f"f{i}" for i in range(N_FEATURES))
    for k in range(snapshots):
        values = rng.standard_normal((each, N_FEATURES), dtype=np.float32)
        score = values[:, :10].sum(axis=1) / 3
        cutoff = date(2023, 1, 1) + timedelta(days=30 * k)
        snapshot = Snapshot(cutoff=cutoff, observation_days=730, horizon_days=30)
        churned = rng.random(each) < 1 / (1 + np.exp(-score))
        orders = np.where(churned, 0.0, 1.0 + rng.poisson(1.0, each))
        first = snapshot.cutoff_us - rng.integers(30, 700, each) * 86_400e6
        days = 1.0 + rng.poisson(2.0, each)
        last = first + np.where(days > 1, rng.random(each) * (snapshot.cutoff_us - first), 0.0)
        base = {
            "orders": days,
            "order_days": days,
            "first_order_us": first,
            "last_order_us": last,
            "net_revenue": days * 30.0,
            "order_amount": days * np.exp(rng.normal(3.4, 0.4, each)),
            "horizon_orders": orders,
            "horizon_amount": orders * 30.0,
        }
        made.append(
            LabelledSnapshot(
                snapshot=snapshot,
                customer_ids=np.empty(0, dtype=object),
                base=base,
                eligible=np.ones(each, dtype=bool),
                features=FeatureMatrix(names=names, values=values),
                churned=churned,
                future_spend=orders * np.exp(rng.normal(3.4, 0.5, each) + 0.1 * values[:, 0]),
                future_orders=orders,
            )
        )
    return made


def train(clock: Clock, *, rows: int, snapshots: int, threads: int) -> None:
    """Fit churn and spend as ``churnkit train`` does on labelled snapshots."""
    from churnkit.evaluation.predictive import spend_metrics
    from churnkit.models.training import ModelSettings, fit_models

    made = _side_by_side(clock, rows=rows, snapshots=snapshots)
    with clock.step("fit"):
        fit_models(made, settings=ModelSettings(threads=threads), judge=spend_metrics)


def _side_by_side(clock: Clock, *, rows: int, snapshots: int) -> list[Any]:
    """Return snapshots whose features lie in one matrix, and note its size.

    Before it is made, a small fit loads the libraries, so that what they take can be told apart.
    """
    from churnkit.evaluation.predictive import spend_metrics
    from churnkit.models.base import side_by_side
    from churnkit.models.training import ModelSettings, fit_models

    with clock.step("loading libraries"):
        fit_models(_snapshots(5_000, 5), settings=ModelSettings(threads=1), judge=spend_metrics)
        libraries = resident()
    with clock.step("making the matrix"):
        made = side_by_side(_snapshots(rows, snapshots))
    matrix = sum(s.features.values.nbytes for s in made)
    clock.facts |= {
        "matrix_gb": matrix / 1024**3,
        "libraries_gb": libraries,
        "with_data_gb": resident(),
    }
    return made


def bare_lightgbm(clock: Clock, *, rows: int, snapshots: int, threads: int) -> None:
    """Fit the same learners by LightGBM alone: churn, log spend of all, gamma and log of buyers.

    Once on all rows and once on the earlier ones, which validate the newest: what any careful user
    fits, with churnkit's parameters. The matrix is handed over in one piece, as to churnkit.
    """
    import lightgbm

    from churnkit.models.base import stack
    from churnkit.models.boosting import default_parameters

    made = _side_by_side(clock, rows=rows, snapshots=snapshots)
    values = stack(made).values
    churned = np.concatenate([s.churned for s in made]).astype(np.float64)
    spend = np.concatenate([s.future_spend for s in made])
    newest = made[-1].snapshot.cutoff
    earlier = sum(len(s.churned) for s in made if s.snapshot.label_end <= newest)
    del made
    for n in (len(values), earlier):
        bought = spend[:n] > 0
        for name, mask, target, objective in (
            ("churn", None, churned[:n], "binary"),
            ("spend", bought, spend[:n], "gamma"),
            ("spend", bought, np.log1p(spend[:n]), "l2"),
            ("spend", None, np.log1p(spend[:n]), "l2"),
        ):
            with clock.step(name):
                x, y = (values[:n], target) if mask is None else (values[:n][mask], target[mask])
                parameters = default_parameters(len(y)) | {
                    "objective": objective,
                    "num_threads": threads,
                    "deterministic": True,
                    "force_col_wise": True,
                    "verbosity": -1,
                }
                data = lightgbm.Dataset(x, label=y, params=dict(parameters))
                lightgbm.train(parameters, data, num_boost_round=ROUNDS)
            del x, y, data


def score(
    clock: Clock,
    *,
    path: str,
    train_path: str,
    folder: str,
    threads: int,
    memory_limit: str | None = None,
) -> None:
    """Train on a small file, score a large one, and do the bare predictions on the same matrix."""
    import os

    import churnkit

    Path(folder).mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    config = {
        "name": "speed",
        "engine": {"threads": threads, "memory_limit": memory_limit, "temp_directory": folder},
        "data": {
            "time_zone": "UTC",
            "orders": {"source": train_path, "columns": {name: name for name in COLUMNS}},
        },
        "snapshots": {"horizon_days": 90, "count": 4},
        "scoring": {"output": f"{folder}/scores.parquet"},
    }
    with clock.step("training on the small file"):
        trained = churnkit.train(config)
    config["data"]["orders"]["source"] = path  # type: ignore[index]
    with clock.step("score"):
        result = churnkit.score(config, model=str(trained.bundle_folder), as_of="2024-12-01")
    clock.facts |= {"rows": result.manifest["rows"], "statuses": result.manifest["statuses"]}
    _bare(clock, trained.bundle_folder, customers=result.manifest["statuses"]["scored"])


def _bare(clock: Clock, bundle_folder: Path, *, customers: int) -> None:
    """Predict with the bundle's boosters on random features of as many customers."""
    import lightgbm

    from churnkit.models.bundle import load_bundle

    models = load_bundle(bundle_folder).models
    learners = [models.churn.learner, *models.spend.learners]
    learners += [models.spend.typical] if models.spend.typical is not None else []
    boosters = [lightgbm.Booster(model_str=learner.to_text()) for learner in learners]
    rng = np.random.default_rng(7)
    values = rng.lognormal(1.0, 2.0, (customers, len(learners[0].feature_names)))
    matrix = values.astype(np.float32)
    with clock.step("bare predict of all boosters"):
        for booster in boosters:
            booster.predict(matrix)
    part = matrix[: customers // 20]
    with clock.step("bare pred_contrib of churn, a twentieth of the customers"):
        boosters[0].predict(part, pred_contrib=True)
    clock.facts |= {"boosters": len(boosters), "contrib_rows": len(part)}


def purchase(clock: Clock, *, customers: int, package: str, kind: str) -> None:
    """Fit BG/NBD to simulated customers with churnkit, lifetimes or pymc-marketing.

    Parameters are r .5, alpha 4, a .8, b 2.5; of ``frequent`` buyers 20, 1.5, .8 and 1,000.
    """
    drawn = (20.0, 1.5, 0.8, 1_000.0) if kind == "frequent" else (0.5, 4.0, 0.8, 2.5)
    x, t_x, total = _buyers(customers, *drawn)
    if kind == "heavy":
        x[:20], t_x[:20], total[:20] = np.linspace(1_000, 5_000, 20).round(), 103.0, 104.0
    if package == "churnkit":
        from churnkit.btyd import fit_purchase_model, group_customers

        with clock.step("fit"):
            history = group_customers(repeat_orders=x, recency=t_x, tenure=total)
            model = fit_purchase_model(history, kind="bg_nbd")
        found = {name: float(getattr(model, name)) for name in ("r", "alpha", "a", "b")}
    elif package == "lifetimes":
        from lifetimes import BetaGeoFitter

        with clock.step("fit"):
            fitter = BetaGeoFitter(penalizer_coef=0.0)
            fitter.fit(x, t_x, total)
        found = {name: float(value) for name, value in fitter.params_.items()}
    else:
        import pandas as pd
        from pymc_marketing.clv import BetaGeoModel

        data = pd.DataFrame(
            {"customer_id": range(customers), "frequency": x, "recency": t_x, "T": total}
        )
        with clock.step("fit"):
            fitted = BetaGeoModel(data=data)
            fitted.fit(method="map")
        posterior = fitted.idata.posterior
        found = {name: float(posterior[name].mean()) for name in ("r", "alpha", "a", "b")}
    clock.facts |= {"parameters": {k: round(v, 5) for k, v in found.items()}}


def _buyers(
    customers: int, r: float, alpha: float, a: float, b: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return repeat orders, recency and tenure in weeks, whole days, from known parameters."""
    rng = np.random.default_rng(11)
    rate = rng.gamma(r, 1 / alpha, customers)
    leaving = rng.beta(a, b, customers)
    total = rng.integers(7, 730, customers) / 7.0
    x, t_x, now = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    alive = np.ones(customers, dtype=bool)
    while alive.any():
        now[alive] += rng.exponential(1.0, alive.sum()) / np.maximum(rate[alive], 1e-9)
        alive &= now < total
        x[alive] += 1
        t_x[alive] = np.ceil(now[alive] * 7) / 7
        t_x = np.minimum(t_x, total)
        alive &= rng.random(customers) >= leaving
    return x, t_x, total
