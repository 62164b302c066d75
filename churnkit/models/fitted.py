"""Fitted models of churn and spend, which predict both at one level."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ModelGuardError
from churnkit.models.level import LevelCorrection
from churnkit.models.log_odds import churn_level_shift, moved_mean, sigmoid
from churnkit.models.portfolio import InMemory, Scored
from churnkit.models.settings import Level, ModelSettings, Predictions
from churnkit.models.spend import SMALLEST, SpendModel, factor_to

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from churnkit.models.base import FeatureMatrix
    from churnkit.models.churn import ChurnModel
    from churnkit.models.contract import ContractValue
    from churnkit.models.interval import SpendInterval
    from churnkit.models.portfolio import Portfolio
    from churnkit.models.purchase_forecast import PurchaseForecast
    from churnkit.models.staying import ChurnForecast, StayForecast
    from churnkit.models.total import TotalBand, TotalRange

    Floats = NDArray[np.float64]

__all__ = ["Models"]

# A constant moves the mean of normally spread log-odds by a third of itself or more, up to a standard
# deviation of 4.6, a hundred to one. Where less, hardly anybody is in doubt, and the mean would come
# where it should only when those who are sure were as good as certain.
FARTHEST_TIMES = 3.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Models:
    """The fitted models of a run.

    Attributes
    ----------
    churn : ChurnModel
    spend : SpendModel or None
        None where the customers are subscribers.
    interval : SpendInterval or None
        None without a later training snapshot to learn it on.
    settings : ModelSettings
    level : LevelCorrection
        What the purchase model or the retention curve missed at the training snapshots.
    churn_is_no_order : bool
        Whether churn means "no order in the horizon", so that P(order) = 1 − P(churn).
    total : TotalBand or None
        How sure the total is; None where the purchase model does not set it.
    contract : ContractValue or None
        What subscribers keep and pay; None where the customers are those of orders.
    """

    churn: ChurnModel
    spend: SpendModel | None
    interval: SpendInterval | None
    settings: ModelSettings
    level: LevelCorrection = field(default_factory=LevelCorrection)
    churn_is_no_order: bool = True
    total: TotalBand | None = None
    contract: ContractValue | None = None

    def value(self, features: FeatureMatrix, *, base: Mapping[str, Floats]) -> Floats:
        """Return what :meth:`at_level` needs to know of the money of each customer.

        Parameters
        ----------
        features : FeatureMatrix
        base : mapping of str to ndarray
            Base columns of the same customers.

        Returns
        -------
        ndarray of float64, shape (n, 1) or (n, 2)
            What the spend model's learners say; of subscribers, their monthly revenue.
        """
        if self.spend is None:
            return base["mrr"][:, None]
        return self.spend.value(features)

    def at_level(self, rows: Scored) -> Predictions:
        """Return the predictions for a whole population, blended and at its level."""
        portfolio = InMemory(rows=rows)
        level = self.find_level(portfolio)
        total = self.find_total(portfolio, level=level)
        return replace(self.apply_level(rows, level=level), total=total)

    def find_level(self, portfolio: Portfolio) -> Level:
        """Return what sets the predictions of a whole portfolio to its level.

        Raises
        ------
        ModelGuardError
            If the model was trained with a retention curve and the portfolio has none.
        """
        level, cutoff = self._find_churn_level(portfolio), portfolio.cutoff
        if self.spend is None:
            return level
        spend_correction = 0.0
        if self.spend.typical_share > 0.0:
            own, pooled = portfolio.sums(partial(self._pooled_spend, level=level))
            level = replace(level, pooling_factor=factor_to(own, current=pooled))
        if cutoff is not None and self.settings.spend_level != "none":
            if self.settings.spend_level == "auto":
                spend_correction = self.level.log_spend(cutoff)
            theirs, ours = portfolio.sums(partial(self._total_spend, level=level))
            factor = factor_to(theirs * float(np.exp(spend_correction)), current=ours)
            level = replace(level, spend_factor=factor, spend_correction=spend_correction)
        return level

    def _find_churn_level(self, portfolio: Portfolio) -> Level:
        """Return what sets the mean churn probability."""
        cutoff = portfolio.cutoff
        if cutoff is None and self.contract is not None and self.level.points:
            msg = (
                "models: the retention curve needs ended subscriptions beside those that run; the"
                " data have none. Give the whole history of subscriptions"
            )
            raise ModelGuardError(msg)
        classical = self.churn_is_no_order or self.contract is not None
        if cutoff is None or not classical or self.settings.churn_level == "none":
            return Level()
        correction = 0.0
        if self.settings.churn_level == "auto":
            correction = self.level.log_odds(cutoff)
        n, leaving = portfolio.sums(self._leaving)
        values, customers = portfolio.distribution(self._blended)
        shift = churn_level_shift(
            values,
            target_mean=moved_mean(leaving / n, log_odds=correction),
            customers=customers,
            times=FARTHEST_TIMES,
        )
        return Level(log_odds_shift=shift, churn_correction=correction)

    def find_total(self, portfolio: Portfolio, *, level: Level) -> TotalRange | None:
        """Return where the total spend of a whole portfolio should lie at its level.

        None without an interval to learn the luck of the draw from, or where the purchase model
        does not set the level.
        """
        if self.total is None or self.interval is None or portfolio.cutoff is None:
            return None
        expected, variance = portfolio.sums(partial(self._spread_of_total, level=level))
        if expected <= 0.0:
            return None
        return self.total.range(
            expected=float(expected),
            variance=float(variance),
            season_seen=self.level.sees_season_of(portfolio.cutoff),
        )

    def apply_level(self, rows: Scored, *, level: Level) -> Predictions:
        """Return the predictions for customers of a portfolio whose level is known."""
        probability, staying = self._churning(rows, level)
        if self.contract is not None:
            return self._of_contracts(self.contract, probability, mrr=rows.value[:, 0], level=level)
        given_order = self._given_order(rows, level) * level.spend_factor
        spend = staying * given_order
        low = high = stated = None
        if self.interval is not None:
            low, high = self.interval.bounds(order_probability=staying, value=given_order)
            low, high = np.minimum(low, spend), np.maximum(high, spend)
            stated = self.interval.stated_coverage(staying)
        return Predictions(
            churn_probability=probability,
            order_probability=staying,
            expected_spend=spend,
            expected_spend_low=low,
            expected_spend_high=high,
            stated_coverage=stated,
            level=level,
        )

    def _of_contracts(
        self, contract: ContractValue, probability: Floats, *, mrr: Floats, level: Level
    ) -> Predictions:
        return Predictions(
            churn_probability=probability,
            order_probability=1.0 - probability,
            stated_coverage=None,
            expected_spend=contract.revenue(mrr, probability),
            expected_spend_low=None,
            expected_spend_high=None,
            level=level,
            expected_mrr_retained=contract.retained(mrr, probability),
            mrr_at_risk=contract.at_risk(mrr, probability),
            spend_at_risk=probability * contract.lost_by_leaving(mrr),
        )

    @property
    def spending(self) -> SpendModel:
        """The spend model.

        Raises
        ------
        ModelGuardError
            If the customers are subscribers: their spend follows from what they pay.
        """
        if self.spend is None:
            msg = (
                "models: of subscribers there is no spend model to explain; target must be 'churn'"
            )
            raise ModelGuardError(msg)
        return self.spend

    def churn_forecast(self, rows: Scored) -> ChurnForecast | None:
        """Return what the learner's churn is blended with: the classical model's, if any."""
        if self.contract is not None:
            return rows.staying
        return rows.forecast if self.churn_is_no_order else None

    def _blended(self, rows: Scored) -> Floats:
        """Return log-odds of churning before the level is set."""
        return self.churn.blend(rows.log_odds, forecast=self.churn_forecast(rows))

    def _leaving(self, rows: Scored) -> Floats:
        """Return 1 and the classical model's probability of churning, shape (n, 2)."""
        n, classical = len(rows.log_odds), self.churn_forecast(rows)
        leaving = np.zeros(n) if classical is None else classical.churn_probability
        return np.column_stack([np.ones(n), leaving])

    def _churning(self, rows: Scored, level: Level) -> tuple[Floats, Floats]:
        """Return the probabilities to churn and to order."""
        probability = sigmoid(self._blended(rows) + level.log_odds_shift)
        if self.churn_is_no_order or rows.forecast is None:
            return probability, 1.0 - probability
        return probability, rows.forecast.order_probability

    def _given_order(self, rows: Scored, level: Level) -> Floats:
        """Return spend given an order before its own factor."""
        _, staying = self._churning(rows, level)
        own, pooled = self.spending.views(
            rows.value, order_probability=staying, forecast=rows.forecast
        )
        return own if self.spending.typical_share == 0.0 else pooled * level.pooling_factor

    def _pooled_spend(self, rows: Scored, *, level: Level) -> Floats:
        """Return expected spend without and with the typical spend in it, shape (n, 2)."""
        _, staying = self._churning(rows, level)
        views = self.spending.views(rows.value, order_probability=staying, forecast=rows.forecast)
        # As in SpendModel.given_order: spend is worth what it is to someone who may order.
        return np.column_stack([np.maximum(staying, SMALLEST) * view for view in views])

    def _total_spend(self, rows: Scored, *, level: Level) -> Floats:
        """Return expected spend of the purchase model and of ours, shape (n, 2)."""
        if rows.forecast is None:
            return np.zeros((len(rows.log_odds), 2))
        _, staying = self._churning(rows, level)
        ours = staying * self._given_order(rows, level)
        return np.column_stack([rows.forecast.expected_spend, ours])

    def _spread_of_total(self, rows: Scored, *, level: Level) -> Floats:
        """Return expected spend and its variance, shape (n, 2)."""
        _, staying = self._churning(rows, level)
        value = self._given_order(rows, level) * level.spend_factor
        if self.interval is None:
            return np.zeros((len(value), 2))
        variance = self.interval.variance(order_probability=staying, value=value)
        return np.column_stack([staying * value, variance])

    def predict(
        self,
        features: FeatureMatrix,
        *,
        forecast: PurchaseForecast | None,
        base: Mapping[str, Floats],
        staying: StayForecast | None = None,
    ) -> Predictions:
        """Return predictions for a whole population at once: the level is set over all of it."""
        rows = Scored(
            log_odds=self.churn.log_odds(features),
            value=self.value(features, base=base),
            forecast=forecast,
            staying=staying,
        )
        return self.at_level(rows)
