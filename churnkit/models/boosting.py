"""LightGBM behind the contract of a learner: deterministic, sized to the data, free of pickle."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.errors import ModelGuardError
from churnkit.models.bins import binned, give_back_memory
from churnkit.models.learner import MODELS
from churnkit.models.network import joined, without_addresses
from churnkit.models.shapley import ExactShapley

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import lightgbm
    from numpy.typing import NDArray

    from churnkit.engines import Peers
    from churnkit.models.base import FeatureMatrix

    Floats = NDArray[np.float64]

__all__ = ["FittedLightGBM", "LightGBM"]

PATIENCE_ROUNDS = 40
FEW_ROWS = 30_000


def default_parameters(rows: int) -> dict[str, Any]:
    """Return parameters that regularise small data strongly and let large data speak.

    Parameters
    ----------
    rows : int
        Training rows.

    Notes
    -----
    Stacked snapshots repeat customers, so the rows are far fewer than they look: leaves are kept
    large and trees small, and every tree sees a part of the rows and columns. Chosen on rolling
    origins of five order histories (see ``benchmarks/README.md``), where more rounds, larger trees
    and smaller learning rates brought nothing.
    """
    return {
        "learning_rate": 0.12 if rows < FEW_ROWS else 0.1,
        "num_leaves": 15 if rows < 500_000 else 31,
        "min_data_in_leaf": int(np.clip(rows // 10, 20, 200)),
        "feature_fraction": 0.4,
        "bagging_fraction": 0.5,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "max_bin": 127,
        # Random thresholds: on few rows the best one is mostly luck.
        "extra_trees": rows < FEW_ROWS,
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedLightGBM:
    """A fitted booster as text; see :class:`churnkit.models.learner.FittedLearner`."""

    text: str
    feature_names: tuple[str, ...]
    rounds: int

    @cached_property
    def _booster(self) -> lightgbm.Booster:
        import lightgbm

        return lightgbm.Booster(model_str=self.text)

    @cached_property
    def _shapley(self) -> ExactShapley:
        return ExactShapley(
            text=self.text, booster=self._booster, n_features=len(self.feature_names)
        )

    def predict_raw(self, features: FeatureMatrix) -> Floats:
        """Return the score before the link."""
        features.require(self.feature_names)
        return np.asarray(self._booster.predict(features.values, raw_score=True), dtype=np.float64)

    def predict(self, features: FeatureMatrix) -> Floats:
        """Return the prediction on the scale of the target."""
        features.require(self.feature_names)
        return np.asarray(self._booster.predict(features.values), dtype=np.float64)

    def contributions(self, features: FeatureMatrix) -> Floats:
        """Return exact Shapley values (TreeSHAP), the base value in the last column."""
        features.require(self.feature_names)
        return self._shapley.values(features.values)

    def interactions(self, features: FeatureMatrix) -> dict[tuple[int, int], float] | None:
        """Return the mean joint effect of pairs; see :meth:`.shapley.ExactShapley.interactions`."""
        features.require(self.feature_names)
        return self._shapley.interactions(features.values)

    def contributions_method(self, rows: int) -> str:
        """Return what explains so many rows; see :class:`.shapley.ExactShapley`."""
        return self._shapley.method(rows)

    def to_text(self) -> str:
        """Return LightGBM's own text format."""
        return self.text


@MODELS.register("lightgbm")
@dataclass(frozen=True, kw_only=True)
class LightGBM:
    """Gradient-boosted trees.

    Parameters
    ----------
    params : mapping, optional
        LightGBM parameters that replace the defaults of :func:`default_parameters`.
    seed : int, default 7
        Of bagging and feature sampling. The same seed on the same data gives the same model.
    threads : int, default 0
        0 uses all cores.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 7
    threads: int = 0

    @staticmethod
    def search_space(rows: int) -> dict[str, tuple[float, float, bool]]:
        """Return what a search may try on so many rows: lowest, highest, and whether in logs.

        Whole numbers stay whole. Fewer rows allow smaller trees only.

        Examples
        --------
        >>> [LightGBM.search_space(rows)["num_leaves"] for rows in (1_000, 1_000_000)]
        [(4, 15, True), (4, 127, True)]
        """
        return {
            "learning_rate": (0.02, 0.3, True),
            "num_leaves": (4, int(np.clip(rows // 2_000, 15, 127)), True),
            "min_data_in_leaf": (
                int(np.clip(rows // 100, 10, 50)),
                int(np.clip(rows // 5, 20, 1_000)),
                True,
            ),
            "feature_fraction": (0.2, 1.0, False),
            "bagging_fraction": (0.3, 1.0, False),
            "lambda_l2": (0.1, 100.0, True),
        }

    @staticmethod
    def finer_parameters(rows: int) -> dict[str, Any]:
        """Return what is less regularised for sharp edges: small leaves, the best thresholds.

        Empty where rows are many, and the defaults see them.
        """
        return {"extra_trees": False, "min_data_in_leaf": 20} if rows < FEW_ROWS else {}

    def fit(
        self,
        features: FeatureMatrix,
        target: Floats,
        *,
        objective: str,
        rounds: int,
        rows: NDArray[np.bool_] | None = None,
        validation: tuple[FeatureMatrix, Floats] | None = None,
        alpha: float = 0.5,
    ) -> FittedLightGBM:
        """Fit one target; see :class:`churnkit.models.learner.Learner`.

        Chosen ``rows`` go into bins a few thousand at a time: they are never copied as a whole.

        With ``validation``, training stops when its loss has not improved for
        :data:`PATIENCE_ROUNDS` rounds, and ``rounds`` is the most that are tried.
        """
        import lightgbm

        parameters = self._parameters(len(target), objective=objective, alpha=alpha)
        with _saying(objective):
            train = binned(features, target, rows=rows, parameters=parameters).construct()
        # LightGBM has its own copy, in half the memory.
        del target
        give_back_memory()
        watched: list[Any] = []
        callbacks: list[Any] = []
        if validation is not None:
            watched = [train.create_valid(validation[0].values, label=validation[1])]
            callbacks = [lightgbm.early_stopping(PATIENCE_ROUNDS, verbose=False)]
        with _saying(objective):
            booster = lightgbm.train(
                parameters, train, num_boost_round=rounds, valid_sets=watched, callbacks=callbacks
            )
        best = booster.best_iteration if validation is not None else booster.current_iteration()
        return _from_text(booster.model_to_string(num_iteration=best), names=features.names)

    def fit_among(
        self, features: FeatureMatrix, target: Floats, *, objective: str, rounds: int, peers: Peers
    ) -> FittedLightGBM | None:
        """Fit one target together with others; see :class:`churnkit.models.learner.JoinedLearner`.

        Trees are grown on the histograms of all rows. Each task finds the bins of some columns on
        its own rows, which should be like those of the others.
        """
        import lightgbm

        with joined(peers, rows=len(target)) as network:
            if not network.takes_part:
                return None
            parameters = self._parameters(network.rows, objective=objective)
            parameters["num_threads"] = peers.threads
            # The bins are found within training, when the others can be reached.
            train = binned(features, target, parameters=parameters)
            with _saying(objective):
                booster = lightgbm.train(
                    parameters | network.parameters, train, num_boost_round=rounds
                )
            booster.free_network()
        if not network.answers:
            return None
        return _from_text(without_addresses(booster.model_to_string()), names=features.names)

    def _parameters(self, rows: int, *, objective: str, alpha: float = 0.5) -> dict[str, Any]:
        """Return what LightGBM is told."""
        kind, _, power = objective.partition(":")
        parameters = {
            **default_parameters(rows),
            **self.params,
            "objective": kind,
            "seed": self.seed,
            "num_threads": self.threads,
            "deterministic": True,
            # A second copy of the bins, by rows, gives the same trees no faster.
            "force_col_wise": True,
            "verbosity": -1,
        }
        if kind == "tweedie":
            parameters["tweedie_variance_power"] = float(power)
        if kind == "quantile":
            parameters["alpha"] = alpha
        return parameters

    def load(self, text: str) -> FittedLightGBM:
        """Return the model written by :meth:`FittedLightGBM.to_text`."""
        import lightgbm

        try:
            names = lightgbm.Booster(model_str=text).feature_name()
        except lightgbm.basic.LightGBMError as error:
            msg = f"lightgbm: the text is not a model; {error}"
            raise ModelGuardError(msg) from error
        return _from_text(text, names=names)


@contextmanager
def _saying(objective: str) -> Iterator[None]:
    """Turn LightGBM's own error into one that says what was trained."""
    import lightgbm

    try:
        yield
    except lightgbm.basic.LightGBMError as error:
        msg = f"lightgbm: training with objective {objective!r} failed; {error}"
        raise ModelGuardError(msg) from error


def _from_text(text: str, *, names: Sequence[str]) -> FittedLightGBM:
    # Rounds in which no leaf could be split leave no tree.
    return FittedLightGBM(text=text, feature_names=tuple(names), rounds=text.count("\nTree="))
