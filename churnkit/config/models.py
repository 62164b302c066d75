"""The models and the search for their parameters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from churnkit.config.frozen import Section, freeze
from churnkit.config.values import (
    Days,
    Fraction,
    NonNegative,
    Options,
    Positive,
    Text,
    Whole,
    WholeOrNone,
)

__all__ = ["Churn", "LifetimeValue", "Search"]


class Churn(Section):
    """The model of churn."""

    model: Text = Field(default="lightgbm", description="registered name of the model")
    params: Options = Field(default=freeze({}), description="parameters passed on to the model")
    calibration: Text = Field(
        default="auto",
        description="registered name of a calibrator; auto keeps one only if it lowers log loss on a"
        " later snapshot",
    )
    level: Literal["auto", "purchase_model", "none"] = Field(
        default="auto",
        description="what sets the mean of the probabilities: the purchase model or, of subscribers,"
        " the retention curve; auto corrects it by what it missed on matured snapshots; none leaves"
        " the model's own",
    )


class LifetimeValue(Section):
    """The model of spend, and what makes lifetime value of it."""

    model: Text = Field(default="lightgbm", description="registered name of the model")
    objective: Literal["auto", "tweedie", "hurdle_gamma", "hurdle_lognormal"] = Field(
        default="auto",
        description="loss of the model; auto: P(order) times the value of buyers, pooled with the"
        " purchase model and the typical spend by fixed weights",
    )
    params: Options = Field(default=freeze({}), description="parameters passed on to the model")
    interval: Fraction = Field(
        default=0.8, description="share of customers whose spend should lie between low and high"
    )
    gross_margin: Positive = Field(
        default=1.0, description="margin per unit of spend: 0.4 is 40 %; 1 leaves spend as it is"
    )
    yearly_discount_rate: NonNegative = Field(
        default=0.0, description="discount on future money: 0.1 is 10 % a year"
    )
    horizon_days: Days | None = Field(
        default=None,
        description="length of time over which expected_ltv counts, by the purchase model's orders"
        " beyond the labels; null: snapshots.horizon_days",
    )
    level: Literal["auto", "purchase_model", "none"] = Field(
        default="auto",
        description="what sets the total of the predictions: the purchase model; auto corrects it by"
        " what it missed on matured snapshots; none leaves the model's own",
    )


class Search(Section):
    """The search for parameters of the models; needs the extra ``search``."""

    trials: WholeOrNone = Field(
        default=0,
        description="sets of parameters to try for each model, on folds of the training snapshots"
        " that go forward in time; 0 searches nothing and keeps the defaults",
    )
    folds: Whole = Field(
        default=3, description="newest training snapshots that every trial is judged on"
    )
