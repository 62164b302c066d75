"""Every section and key of a configuration, with its default and its meaning."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from pydantic import Field, ValidationInfo, field_validator, model_validator

from churnkit.config.faults import Fault, FaultsError, shown, validated
from churnkit.config.retention import Retention
from churnkit.config.tables import Data
from churnkit.config.values import (
    Day,
    Days,
    DaysOrNone,
    Features,
    Fraction,
    Instant,
    MemoryLimit,
    Name,
    NamedAfterRun,
    Names,
    NonNegative,
    Options,
    PageFile,
    Positive,
    Reasons,
    Section,
    Seed,
    Share,
    TableFile,
    Text,
    Whole,
    WholeOrNone,
    freeze,
    thaw,
)
from churnkit.config.yaml_text import dump_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DEFAULT_FEATURES",
    "Churn",
    "Config",
    "Data",
    "Engine",
    "Label",
    "LifetimeValue",
    "Population",
    "Report",
    "Retention",
    "RiskBands",
    "Scoring",
    "Search",
    "Snapshots",
    "Tracking",
]

DEFAULT_FEATURES: Mapping[str, Mapping[str, Any]] = freeze(
    {
        "rfm": {"windows_days": [30, 90, 180, 365]},
        "regularity": {},
        "basket": {},
        "purchase_model": {"kind": "bg_nbd"},
    }
)

OPTIONS_OF: Mapping[str, tuple[str, ...]] = {
    "no_order": (),
    "own_gap": ("quantile", "prior_gaps"),
    "subscription_end": ("ends", "resubscribe_days", "trial_plans"),
}
"""Options of a label by its kind."""

AnySection = TypeVar("AnySection", bound=Section)


class Engine(Section):
    """What runs the queries."""

    kind: Literal["duckdb", "spark"] = Field(
        default="duckdb", description="duckdb runs in this process; spark on a cluster"
    )
    threads: Whole | None = Field(default=None, description="threads to use; null: one per core")
    memory_limit: MemoryLimit | None = Field(
        default=None, description="past it, work spills to temp_directory; null: most of the memory"
    )
    temp_directory: Text | None = Field(
        default=None, description="folder for spilled data; null: .tmp in the working directory"
    )
    master: Text | None = Field(default=None, description="address of the cluster, for spark only")
    conf: Options = Field(default=freeze({}), description="settings of the session, for spark only")

    @field_validator("master", "conf")
    @classmethod
    def _needs_spark(cls, value: object, info: ValidationInfo) -> object:
        if value and info.data.get("kind") == "duckdb":
            msg = f"is only for engine.kind 'spark'; got {shown(thaw(value))}"
            raise ValueError(msg)
        return value


class Snapshots(Section):
    """The cutoffs to learn from and to test on."""

    horizon_days: Days = Field(
        default=90, description="length of the future to predict; churned is what label says"
    )
    gap_days: DaysOrNone = Field(
        default=0,
        description="days between the cutoff and the horizon, time for a campaign to start",
    )
    observation_days: Days = Field(
        default=730, description="length of the history before a cutoff that features may see"
    )
    every_days: Days = Field(default=30, description="days from one cutoff to the next")
    count: Whole = Field(
        default=12, description="training snapshots wanted; fewer if history is short"
    )
    test: Whole = Field(default=1, description="newest snapshots, kept out of training to test on")
    last: Day = Field(default=None, description="newest cutoff; null: the last mature one")
    customers_share: Share = Field(
        default=1.0,
        description="share of the customers to learn from and test on; all are scored",
    )


class Population(Section):
    """The customers who are scored."""

    active_within_days: Days = Field(
        default=365,
        description="last order at most this many days before the cutoff; subscribers are all who pay",
    )
    min_orders: Whole = Field(default=1, description="orders needed before the cutoff")


class Label(Section):
    """What counts as churned."""

    kind: Literal["no_order", "own_gap", "subscription_end"] = Field(
        default="no_order",
        description="no_order: no order in the horizon; own_gap: and silent for longer than the"
        " customer's own rhythm; subscription_end: the paid subscription ends, with"
        " data.subscriptions and with or without orders",
    )
    quantile: Fraction | None = Field(
        default=None,
        description="own_gap: share of a customer's gaps that are shorter than what counts as gone;"
        " null: 0.9",
    )
    prior_gaps: Positive | None = Field(
        default=None,
        description="own_gap: how many gaps of everybody's mean length each customer is given;"
        " null: 2",
    )
    ends: Literal["last", "any"] | None = Field(
        default=None,
        description="subscription_end: last: a customer left when no paid subscription runs any"
        " more; any: when any one of those that ran has ended; null: last",
    )
    resubscribe_days: DaysOrNone | None = Field(
        default=None,
        description="subscription_end: a start so many days after an end, or sooner, continues the"
        " subscription; null: 30",
    )
    trial_plans: Names = Field(
        default=None,
        description="subscription_end: plans that are trials, which count as no subscription, like"
        " periods without revenue",
    )

    @property
    def options(self) -> dict[str, Any]:
        """The options that are given, as plain values."""
        given = {name: getattr(self, name) for name in OPTIONS_OF[self.kind]}
        return {name: thaw(value) for name, value in given.items() if value is not None}

    @model_validator(mode="after")
    def _options_of_the_kind(self) -> Self:
        faults = [
            Fault((name,), f"is only for label.kind {kind!r}; got {shown(thaw(value))}")
            for kind, names in OPTIONS_OF.items()
            for name in names
            if kind != self.kind and (value := getattr(self, name)) is not None
        ]
        if faults:
            raise FaultsError(*faults)
        return self


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


class Tracking(Section):
    """Where runs and models are recorded."""

    uri: Text | None = Field(
        default=None,
        description="MLflow tracking server; null: MLFLOW_TRACKING_URI if set, else the store in models/",
    )
    experiment: NamedAfterRun = Field(
        default="{name}", description="MLflow experiment; null: the name of the run"
    )
    registered_model: NamedAfterRun = Field(
        default="{name}", description="name in the model registry; null: the name of the run"
    )


class RiskBands(Section):
    """Churn probabilities at which risk bands begin."""

    medium: Fraction = Field(
        default=0.33, description="churn probability at which medium risk begins"
    )
    high: Fraction = Field(default=0.66, description="churn probability at which high risk begins")

    @field_validator("high")
    @classmethod
    def _above_medium(cls, value: float, info: ValidationInfo) -> float:
        medium = info.data.get("medium")
        if medium is not None and value <= medium:
            msg = f"must be above scoring.risk_bands.medium ({medium}); got {value}"
            raise ValueError(msg)
        return value


class Scoring(Section):
    """What the score table holds."""

    as_of: Instant = Field(
        default=None,
        description="first instant that is not known; null: the day after the last in the data",
    )
    risk_bands: RiskBands = Field(
        default_factory=RiskBands, description="churn probabilities at which risk bands begin"
    )
    reasons: Reasons = Field(default=3, description="reasons per customer, in words")
    numbers: Literal["en", "de", "fr", "ch", "plain"] = Field(
        default="en",
        description="how reasons write numbers: 1,234.5 (en), 1.234,5 (de), 1 234,5 (fr), 1’234.5 (ch)"
        " or 1234.5 (plain)",
    )
    currency: str = Field(
        default="", description="sign or code of the currency in reasons, such as £ or EUR"
    )
    output: TableFile = Field(
        default="out/{name}/scores.parquet",
        description="the score table, relative to the working directory; {name} is the run's name",
    )


class Report(Section):
    """The page that shows a run."""

    output: PageFile = Field(
        default="out/{name}/report.html",
        description="one self-contained page, relative to the working directory; {name} is the run's"
        " name",
    )


class Config(Section):
    """A whole configuration: complete, checked, and unable to change.

    Make one with :func:`load_config` or :meth:`from_mapping`, which refuse faults in plain
    sentences. Every key is listed by :func:`churnkit.config.reference`.

    Examples
    --------
    >>> config = Config.from_mapping({"name": "shop", "data": {"orders": {"source": "orders.csv"}}})
    >>> config.snapshots.horizon_days, config.scoring.output
    (90, 'out/shop/scores.parquet')
    """

    name: Name = Field(description="name of the run, of its experiment and of its model")
    seed: Seed = Field(default=7, description="makes runs repeatable")
    engine: Engine = Field(default_factory=Engine, description="what runs the queries")
    data: Data = Field(description="the input tables; metrics can do without data.orders")
    snapshots: Snapshots = Field(
        default_factory=Snapshots, description="the cutoffs to learn from and to test on"
    )
    population: Population = Field(
        default_factory=Population, description="the customers who are scored"
    )
    label: Label = Field(default_factory=Label, description="what counts as churned")
    features: Features = Field(
        default=DEFAULT_FEATURES,
        description="features to build, by registered name, each with its options; {} or true: the"
        " feature's defaults; the order is kept",
    )
    churn: Churn = Field(default_factory=Churn, description="the model of churn")
    lifetime_value: LifetimeValue = Field(
        default_factory=LifetimeValue, description="the model of spend and lifetime value"
    )
    search: Search = Field(
        default_factory=Search, description="the search for parameters of the models"
    )
    tracking: Tracking = Field(
        default_factory=Tracking, description="where runs and models are recorded"
    )
    scoring: Scoring = Field(default_factory=Scoring, description="what the score table holds")
    retention: Retention = Field(
        default_factory=Retention, description="the definitions behind the retention metrics"
    )
    report: Report = Field(default_factory=Report, description="the page that shows a run")

    @field_validator("population")
    @classmethod
    def _is_seen(cls, value: Population, info: ValidationInfo) -> Population:
        snapshots = info.data.get("snapshots")
        seen = snapshots.observation_days if snapshots else value.active_within_days
        if value.active_within_days > seen:
            rule = f"must be at most snapshots.observation_days ({seen})"
            raise FaultsError(
                Fault(("active_within_days",), f"{rule}; got {value.active_within_days}")
            )
        return value

    @field_validator("tracking", "scoring", "retention", "report")
    @classmethod
    def _fill_in_name(cls, section: AnySection, info: ValidationInfo) -> AnySection:
        name = info.data.get("name", "{name}")
        texts = {key: value for key, value in section if isinstance(value, str)}
        return section.model_copy(
            update={key: text.replace("{name}", name) for key, text in texts.items()}
        )

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], *, where: str = "config") -> Self:
        """Return the configuration that a mapping holds.

        Parameters
        ----------
        mapping : mapping of str to object
            As YAML would give it; it is copied.
        where : str, default "config"
            What messages call it.

        Raises
        ------
        ConfigError
            If anything is wrong: one line per fault, all faults at once.

        Examples
        --------
        >>> Config.from_mapping({"name": "shop", "data": {"orders": {"sauce": "orders.csv"}}})
        Traceback (most recent call last):
        churnkit.errors.ConfigError: config: data.orders.source: required key is missing: ...
        config: data.orders.sauce: unknown key. Did you mean 'source'?
        """
        return validated(cls, thaw(mapping), where=where)

    def resolved(self) -> dict[str, Any]:
        """Return a complete plain copy, defaults filled in: dicts, lists, text, numbers and null."""
        return self.model_dump()

    def to_yaml(self) -> str:
        """Return :meth:`resolved` as YAML that :func:`load_config` reads back to an equal config."""
        return dump_yaml(self.resolved())

    @property
    def hash(self) -> str:
        """First 16 hex digits of the SHA-256 of the resolved configuration as canonical JSON.

        Two files that say the same have the same hash, whatever their comments and the order of
        their keys. The order of features counts: it is the order of the model's columns.
        """
        plain = self.resolved()
        plain["features"] = list(plain["features"].items())
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
