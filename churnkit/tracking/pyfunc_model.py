"""The code inside every logged model: MLflow copies this file and runs it to load a bundle.

It stays thin, so that a model logged today is scored by the churnkit that its requirements name.
"""

from __future__ import annotations

from typing import Any

import pandas as pd  # noqa: TC002 - MLflow reads the type hints when it loads the model

from churnkit.models.bundle import load_bundle
from churnkit.tracking.frame_scores import score_frame
from churnkit.tracking.quiet_mlflow import import_mlflow

__all__ = ["ChurnkitModel"]

mlflow = import_mlflow()
PythonModel: Any = mlflow.pyfunc.PythonModel


class ChurnkitModel(PythonModel):  # type: ignore[misc]  # MLflow is untyped here
    """A history in, the score table out; see :func:`churnkit.tracking.frame_scores.score_frame`."""

    def load_context(self, context: Any) -> None:
        """Read the bundle."""
        self.bundle = load_bundle(context.artifacts["bundle"])

    def predict(
        self,
        context: Any,  # noqa: ARG002 - MLflow passes it
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return the score table of a history.

        Parameters
        ----------
        context : mlflow.pyfunc.PythonModelContext
        model_input : pandas.DataFrame
            Orders, with the columns that the model was trained with; for a model of several tables
            their rows, stacked, with the column ``table``.
        params : dict, optional
            ``as_of``, ``reasons``, ``risk_band_medium``, ``risk_band_high`` as in
            :func:`churnkit.tracking.frame_scores.score_frame`; with ``missing_as_none`` a cell
            without a value is None, so that what a server answers is plain JSON without NaN.
        """
        given = params or {}
        scores = score_frame(
            model_input,
            self.bundle,
            as_of=given["as_of"],
            reasons=given["reasons"],
            risk_bands={name: given[f"risk_band_{name}"] for name in ("medium", "high")},
        )
        if given["missing_as_none"]:
            return scores.astype(object).where(scores.notna(), None)
        return scores


mlflow.models.set_model(ChurnkitModel())
