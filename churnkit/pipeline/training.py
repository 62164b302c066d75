"""The verbs ``train`` and ``backtest``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from churnkit import __version__
from churnkit.data.sinks import refuse_suffix, write_json
from churnkit.errors import ModelGuardError
from churnkit.evaluation.backtest import (
    Backtest,
    evaluate_snapshot,
    mean_metrics,
    predict_snapshot,
    said_of,
)
from churnkit.evaluation.backtest import backtest as run_backtest
from churnkit.evaluation.predictive import churn_metrics, spend_metrics
from churnkit.evaluation.profit import best_share_to_contact
from churnkit.features.named import make_builders
from churnkit.models.search import search_parameters
from churnkit.models.training import fit_models
from churnkit.pipeline.bundling import make_bundle, register_bundle
from churnkit.pipeline.cards import LEVELS, level_over_time
from churnkit.pipeline.configured import as_config, model_settings
from churnkit.pipeline.joining import joint_training
from churnkit.pipeline.leaks import leak_cautions
from churnkit.pipeline.learning import learned_features
from churnkit.pipeline.registered import MODELS_FOLDER, open_bundle
from churnkit.pipeline.results import TrainResult
from churnkit.pipeline.searching import log_searches
from churnkit.pipeline.session import Session, open_session
from churnkit.tracking import Tracker, decide_champion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from churnkit.config import Config
    from churnkit.data.windows import SnapshotPlan
    from churnkit.evaluation.snapshots import SnapshotLoader
    from churnkit.models.base import LabelledSnapshot
    from churnkit.models.bundle import Bundle
    from churnkit.models.search import Search
    from churnkit.models.training import Models

__all__ = ["backtest", "train", "train_in"]

logger = logging.getLogger("churnkit")


def backtest(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    output: Path | str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Backtest:
    """Test the models and every baseline at each test cutoff, trained as of that cutoff.

    Parameters
    ----------
    config : Config, mapping or path
    tables : mapping of str to frame, optional
        Frames in place of configured sources.
    output : path, optional
        JSON file for the result.
    progress : callable, optional
        Told what is being done.
    """
    if output is not None:
        refuse_suffix(output, ".json")
    with open_session(as_config(config), tables=tables, progress=progress) as session:
        origins = session.plan().test
        plans = [session.plan(last=origin.cutoff, test=1) for origin in origins]
        # Learned as of the first origin, so that no origin knows what came after it.
        features = learned_features(session, plans[0].train[-1]) if plans else {}
        result = run_backtest(
            plans,
            name=session.config.name,
            load=session.loader(make_builders(features), history=session.training_history),
            settings=model_settings(session.config),
            refit=joint_training(session, make_builders(features)),
        )
    if output is not None:
        write_json(output, result.to_dict())
    return result


def train(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    require_skill: bool = False,
    progress: Callable[[str], None] | None = None,
) -> TrainResult:
    """Fit the models, test them beside the baselines, save, track and register them.

    The alias ``champion`` moves to the new version only if it is no worse than the champion on the
    same test snapshots. What a reader should know before believing the model (no skill, a level
    that is off, a feature that knows too much) is logged as a warning and kept in ``notes``.

    Parameters
    ----------
    config : Config, mapping or path
    tables : mapping of str to frame, optional
        Frames in place of configured sources.
    require_skill : bool
        Whether a churn model that is no better than the base rate is refused: nothing is saved.
        One of subscribers also if it is no better than the base rate by time subscribed.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ModelGuardError
        If the model has no skill and ``require_skill`` asks for it.
    """
    # What is known of customers beside their history: the card says how the model treats groups.
    with open_session(
        as_config(config), tables=tables, also=("customers",), progress=progress
    ) as session:
        return train_in(session, session.plan(), require_skill=require_skill)


def train_in(session: Session, plan: SnapshotPlan, *, require_skill: bool = False) -> TrainResult:
    """Train in an open session; see :func:`train`."""
    config = session.config
    Tracker(config.tracking.uri, folder=MODELS_FOLDER).check()
    features = learned_features(session, plan.train[-1])
    load = session.loader(make_builders(features), history=session.training_history)
    joint = joint_training(session, load.builders)
    snapshots = load.together(plan.train)
    session.progress(f"training on {sum(len(s.churned) for s in snapshots):,} rows")
    settings, searches = search_parameters(
        snapshots, settings=model_settings(session.config), progress=session.progress
    )
    models, notes = fit_models(snapshots, settings=settings, judge=spend_metrics)
    trained_on_everybody = None
    if joint is not None:
        models, trained_on_everybody = joint(models, plan.train)
    session.progress("testing beside the baselines")
    tests = [load(s) for s in plan.test]
    results = [evaluate_snapshot(models, snapshots, test) for test in tests]
    tested = said_of(results, name=config.name)
    if tested.no_skill and require_skill:
        raise ModelGuardError("; ".join(tested.no_skill))
    knowing = leak_cautions(session, snapshots[-1], builders=load.builders)
    for caution in knowing:
        logger.warning(caution)
    cautions = list(dict.fromkeys([*(w for r in results for w in r.warnings), *tested.no_skill]))
    notes = {
        **notes,
        "cautions": [*cautions, *knowing],
        "no_skill": list(tested.no_skill),
        "contact": _best_contact(models, tests[-1]) if tests else None,
        LEVELS: level_over_time(models, train=snapshots, tests=tests),
        "search": [search.summary() for search in searches],
        "customers_share": config.snapshots.customers_share,
        "trained_on_everybody": trained_on_everybody,
        "skipped_snapshots": {str(s.cutoff): s.reason for s in plan.skipped},
    }
    session.progress("saving and registering the model")
    return _register(
        session,
        models,
        features=features,
        notes=notes,
        tested=tested,
        tests=tests,
        train=snapshots,
        load=load,
        searches=searches,
    )


def _best_contact(models: Models, test: LabelledSnapshot) -> dict[str, float | None]:
    """Return the share to contact that earned most at the newest test cutoff, by the EMPC campaign."""
    probability = predict_snapshot(models, test).churn_probability
    best = best_share_to_contact(test.churned, probability)
    return {"share": best.share, "threshold": best.threshold, "profit_per_customer": best.profit}


def _register(
    session: Session,
    models: Models,
    *,
    features: Mapping[str, Mapping[str, Any]],
    notes: Mapping[str, Any],
    tested: Backtest,
    tests: Sequence[LabelledSnapshot],
    train: Sequence[LabelledSnapshot],
    load: SnapshotLoader,
    searches: Sequence[Search],
) -> TrainResult:
    config = session.config
    tracker = Tracker(config.tracking.uri, folder=MODELS_FOLDER)
    model_name = config.tracking.registered_model
    champion = tracker.champion(model_name)
    tags = {"churnkit.config_hash": config.hash, "churnkit.version": __version__}
    with tracker.start_run(config.tracking.experiment, run_name=config.name, tags=tags) as run:
        bundle = make_bundle(
            session,
            models,
            version=tracker.next_version(model_name),
            features=features,
            notes=notes,
            tested=tested,
            train=train,
        )
        run.log_params(config.resolved())
        run.log_document("config.yaml", config.to_yaml())
        run.log_document("inputs.json", {r.table: r.to_dict() for r in session.read.reports})
        run.log_document("backtest.json", tested.to_dict())
        for step, snapshot in enumerate(tested.snapshots):
            for name, metrics in snapshot.models.items():
                prefix = "" if name == "model" else f"{name}."
                run.log_metrics({f"{prefix}{k}": v for k, v in metrics.items()}, step=step)
        log_searches(run, searches)
        bundle, folder = register_bundle(session, bundle, name=model_name, tests=tests, run=run)
        moves, reason = True, "there was no champion"
        if champion is not None:
            moves, reason = _no_worse(session, bundle, tested=tested, tests=tests, load=load)
        if moves:
            tracker.promote(model_name, bundle.version)
        run.log_document("champion.txt", reason)
    return TrainResult(
        name=model_name,
        version=bundle.version,
        run_id=run.run_id,
        bundle_folder=folder,
        backtest=tested,
        is_champion=moves,
        champion_reason=reason,
        notes=notes,
    )


def _no_worse(
    session: Session,
    bundle: Bundle,
    *,
    tested: Backtest,
    tests: Sequence[LabelledSnapshot],
    load: SnapshotLoader,
) -> tuple[bool, str]:
    """Compare with the champion on the same test snapshots."""
    by_hand = "promote the new version by hand if it is meant to take over"
    try:
        champion = open_bundle(session.config)
    except ModelGuardError as error:
        # It cannot score either: to keep the alias on it would stop every nightly run.
        return True, f"the champion cannot be read ({error})"
    builders = make_builders(champion.features)
    if tuple(n for b in builders for n in b.feature_names) != tuple(champion.feature_names):
        # It cannot score any more either: its builders make other columns now.
        return True, f"version {champion.version} was trained when its features had other columns"
    differing = [
        part
        for part in ("snapshot", "label", "population", "data")
        if dict(getattr(bundle, part)) != dict(getattr(champion, part))
    ]
    if differing:
        return False, (
            f"version {champion.version} was trained with another {' and '.join(differing)} and"
            f" cannot be compared; {by_hand}"
        )
    if champion.features != bundle.features:
        load = session.loader(make_builders(champion.features), history=session.training_history)
        tests = [load(test.snapshot) for test in tests]
    theirs = []
    for test in tests:
        predicted = predict_snapshot(champion.models, test)
        theirs.append(
            {
                **churn_metrics(test.churned, predicted.churn_probability),
                **spend_metrics(test.future_spend, predicted.expected_spend),
            }
        )
    return decide_champion(tested.mean()["model"], mean_metrics(theirs))
