"""Every section and key of a configuration, with its default and its meaning."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from pydantic import Field, ValidationInfo, field_validator

from churnkit.config.faults import Fault, FaultsError, shown, validated
from churnkit.config.frozen import Section, freeze, thaw
from churnkit.config.models import Churn, LifetimeValue, Search
from churnkit.config.retention import Retention
from churnkit.config.snapshots import Label, Population, Snapshots
from churnkit.config.tables import Data
from churnkit.config.values import (
    Features,
    Fraction,
    Instant,
    MemoryLimit,
    Name,
    NamedAfterRun,
    Options,
    PageFile,
    Reasons,
    Seed,
    TableFile,
    Text,
    Whole,
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
    training_tasks: Whole | None = Field(
        default=None,
        description="train the models on all customers, in so many tasks of Spark at once, and choose"
        " weights and calibration on snapshots.customers_share of them; null: train in this process",
    )

    @field_validator("master", "conf", "training_tasks")
    @classmethod
    def _needs_spark(cls, value: object, info: ValidationInfo) -> object:
        if value and info.data.get("kind") == "duckdb":
            msg = f"is only for engine.kind 'spark'; got {shown(thaw(value))}"
            raise ValueError(msg)
        return value


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
