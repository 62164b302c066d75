"""Predictions of everybody in the population, set to one level over all of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ModelGuardError
from churnkit.models.base import FeatureMatrix
from churnkit.models.drift import bin_counts, stability_index
from churnkit.models.lifetime_value import expected_ltv
from churnkit.models.population import base_numbers, eligible_customers
from churnkit.models.portfolio import Scored
from churnkit.models.purchase import forecast_purchases
from churnkit.models.staying import forecast_stays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot
    from churnkit.models.bundle import Bundle
    from churnkit.models.purchase_forecast import PurchaseForecast
    from churnkit.models.total import TotalRange
    from churnkit.models.training import Predictions
    from churnkit.scoring.request import ScoreRequest

    Floats = NDArray[np.float64]

__all__ = [
    "Chunk",
    "Drift",
    "predicted_columns",
    "predictions",
    "raw_scores",
    "refuse_unknown",
    "refuse_without_forecast",
    "value_days",
    "value_terms",
]

# Beyond this a "next order" date would be a guess about a customer who hardly ever buys.
NEXT_ORDER_REACH_DAYS = 730.0


@dataclass(kw_only=True, eq=False)
class Chunk:
    """Model outputs of one batch, before the level of the whole portfolio is known."""

    customer_ids: pa.Array
    base: dict[str, Floats]
    eligible: NDArray[np.bool_]
    log_odds: Floats
    value: Floats
    reasons: Mapping[str, list[Any]]


def raw_scores(
    batch: pa.Table,
    bundle: Bundle,
    *,
    snapshot: Snapshot,
    request: ScoreRequest,
    drift: Drift,
) -> Chunk:
    """Return what the models say of the eligible customers of a batch, counted into the drift."""
    base = base_numbers(batch)
    eligible = eligible_customers(base, snapshot, **bundle.population)
    kept = batch.filter(eligible)
    matrix = FeatureMatrix.from_arrow(kept, names=bundle.feature_names)
    drift.see_features(matrix)
    models = bundle.models
    return Chunk(
        customer_ids=kept.column("customer_id").combine_chunks(),
        base=base,
        eligible=eligible,
        log_odds=models.churn.log_odds(matrix),
        value=models.value(matrix, base={name: v[eligible] for name, v in base.items()}),
        reasons=request.explain(matrix),
    )


def predictions(
    chunks: Sequence[Chunk], bundle: Bundle, *, snapshot: Snapshot, request: ScoreRequest
) -> tuple[pa.Table | None, dict[str, float], TotalRange | None]:
    """Set the level over all scored customers; return their predicted columns, level and total."""
    import pyarrow as pa

    if not chunks or not any(chunk.eligible.any() for chunk in chunks):
        return None, {}, None
    models = bundle.models
    base = {n: np.concatenate([c.base[n] for c in chunks]) for n in chunks[0].base}
    eligible = np.concatenate([c.eligible for c in chunks])
    forecast = forecast_purchases(
        base,
        snapshot,
        kind=models.settings.purchase_kind,
        **value_terms(bundle, request=request),
    )
    refuse_without_forecast(bundle, request=request, forecast=forecast)
    ours = None if forecast is None else forecast[eligible]
    log_odds = np.concatenate([c.log_odds for c in chunks])
    raw = np.concatenate([c.value for c in chunks])
    mine = {name: values[eligible] for name, values in base.items()}
    staying = forecast_stays(mine, snapshot)
    predicted = models.at_level(
        Scored(log_odds=log_odds, value=raw, forecast=ours, staying=staying)
    )
    refuse_unknown(
        churn_probability=predicted.churn_probability, expected_spend=predicted.expected_spend
    )
    columns: dict[str, Any] = {
        "customer_id": pa.concat_arrays([c.customer_ids for c in chunks]),
        **predicted_columns(predicted, bundle, forecast=ours, snapshot=snapshot),
        "risk_rank": _rank(predicted.churn_probability),
    }
    for name in request.reason_columns:
        columns[name] = [v for chunk in chunks for v in chunk.reasons[name]]
    table = pa.table({n: pa.array(v, from_pandas=True) for n, v in columns.items()})
    return table, asdict(predicted.level), predicted.total


def value_days(bundle: Bundle, *, request: ScoreRequest) -> int:
    """Return over how many days ``expected_ltv`` counts: as asked for, as trained, or the horizon."""
    if request.value_days is not None:
        return request.value_days
    trained = bundle.value.get("horizon_days")
    return int(bundle.snapshot["horizon_days"] if trained is None else trained)


def value_terms(bundle: Bundle, *, request: ScoreRequest) -> dict[str, Any]:
    """Return what :meth:`FittedPurchases.forecast` has to know of the lifetime value asked for."""
    return {
        "value_days": value_days(bundle, request=request),
        "yearly_discount_rate": bundle.value["yearly_discount_rate"],
    }


def refuse_without_forecast(bundle: Bundle, *, request: ScoreRequest, forecast: object) -> None:
    """Refuse a lifetime value beyond the labels where no purchase model could be fitted."""
    days = value_days(bundle, request=request)
    if forecast is None and days != bundle.snapshot["horizon_days"]:
        msg = (
            "score: lifetime_value.horizon_days must be left at the horizon of the labels where no"
            f" purchase model can be fitted; got {days}"
        )
        raise ModelGuardError(msg)


def predicted_columns(
    predicted: Predictions,
    bundle: Bundle,
    *,
    forecast: PurchaseForecast | None,
    snapshot: Snapshot,
) -> dict[str, Floats]:
    """Return what is predicted of customers, each by itself; a column for each prediction.

    The predictions of a customer agree:

    - P(order) is 1 - ``churn_probability``, where churning means "no order in the horizon";
    - ``expected_orders`` is P(order) times the purchase model's orders given an order, so that
      ``expected_orders`` >= P(order);
    - ``expected_spend`` is P(order) times the value given an order, and lies in its interval;
    - ``expected_ltv`` is ``expected_spend`` times the margin times the worth of the length of time
      (:func:`churnkit.models.lifetime_value.worth_of_spend`), which at the models' own horizon is
      a discount alone;
    - ``value_at_risk`` is P(churn) times the margin, discounted, of the value given an order, so
      that ``value_at_risk`` / P(churn) = lifetime value over the models' horizon / P(order).
    """
    probability, spend = predicted.churn_probability, predicted.expected_spend
    ordering = predicted.order_probability
    in_horizon = _worth(spend, bundle, snapshot=snapshot)
    columns = {
        "churn_probability": probability,
        "expected_spend": spend,
        "expected_ltv": in_horizon
        if forecast is None
        else spend * bundle.value["gross_margin"] * forecast.worth,
        # Value given an order is what is lost in the horizon if the customer does not order.
        "value_at_risk": probability * in_horizon / np.maximum(ordering, 1e-9),
    }
    if predicted.spend_at_risk is not None:
        columns["value_at_risk"] = _worth(predicted.spend_at_risk, bundle, snapshot=snapshot)
    of_mrr = {n: getattr(predicted, n) for n in ("expected_mrr_retained", "mrr_at_risk")}
    columns |= {name: values for name, values in of_mrr.items() if values is not None}
    if predicted.expected_spend_low is not None and predicted.expected_spend_high is not None:
        columns["expected_spend_low"] = predicted.expected_spend_low
        columns["expected_spend_high"] = predicted.expected_spend_high
    if forecast is not None:
        # Orders given one order, by the purchase model; P(order) by ours, so the two agree.
        per_buyer = np.maximum(
            forecast.expected_orders / np.maximum(forecast.order_probability, 1e-12), 1.0
        )
        columns["expected_orders"] = ordering * per_buyer
        columns["p_alive"] = forecast.p_alive
        next_days = forecast.next_order_days
        days = np.where(next_days <= NEXT_ORDER_REACH_DAYS, next_days, np.nan)
        columns["next_order_us"] = snapshot.cutoff_us + days * US_PER_DAY
    return columns


def _worth(spend: Floats, bundle: Bundle, *, snapshot: Snapshot) -> Floats:
    """Return what money of the horizon is worth at the cutoff: its margin, discounted."""
    return expected_ltv(
        spend,
        gross_margin=bundle.value["gross_margin"],
        yearly_discount_rate=bundle.value["yearly_discount_rate"],
        gap_days=snapshot.gap_days,
        horizon_days=snapshot.horizon_days,
    )


def refuse_unknown(**predicted: Floats) -> None:
    """Refuse predictions that are not numbers: as nulls they would look like inactive customers."""
    for name, values in predicted.items():
        if unknown := int(np.sum(~np.isfinite(values))):
            msg = f"score: {name} must be a number for everybody; {unknown:,} of {len(values):,} are not"
            raise ModelGuardError(msg)


def _rank(probability: Floats) -> NDArray[np.int64]:
    """Return 1 for the highest risk; equal risks share the better rank."""
    ordered = np.sort(-probability)
    return np.searchsorted(ordered, -probability, side="left").astype(np.int64) + 1


@dataclass(kw_only=True, eq=False)
class Drift:
    """Population stability index of what is scored against what was trained on.

    PSI = sum over bins of (scored share − training share) · ln(scored share / training share),
    with the training's own bins, missing values a bin of their own, shares kept above 1e-4.
    """

    bundle: Bundle
    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def see_features(self, matrix: FeatureMatrix) -> None:
        """Count the features of a batch into the training's bins."""
        for position, name in enumerate(matrix.names):
            self._see(name, matrix.values[:, position])

    def see_scores(self, probability: Floats) -> None:
        """Count predicted probabilities into the training's bins."""
        self._see("churn_probability", probability)

    def _see(self, name: str, values: NDArray[Any]) -> None:
        if name in self.bundle.distribution:
            edges = self.bundle.distribution[name]["edges"]
            self.counts[name] = self.counts.get(name, 0) + bin_counts(values, edges=edges)

    def result(self) -> dict[str, float | None]:
        """Return the index by name, None where nothing was scored."""
        return {
            name: stability_index(self.bundle.distribution[name]["shares"], counts)
            for name, counts in self.counts.items()
        }
