"""Opens what every verb needs: the checked configuration, the engine and the history."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from churnkit.data.windows import as_day, midnight_us, plan_snapshots
from churnkit.engines import ENGINES
from churnkit.errors import ConfigError, DataError
from churnkit.evaluation.snapshots import SnapshotLoader
from churnkit.features.event_types import uncounted_event_types
from churnkit.features.history import read_history, span_of, with_others
from churnkit.features.named import make_builders
from churnkit.labels import make_label
from churnkit.pipeline.tables import OTHER_TABLES, read_others, specs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from churnkit.config import Config
    from churnkit.data.contracts import TableReport
    from churnkit.data.sources import LoadedTable, TableSpec
    from churnkit.data.windows import SnapshotPlan
    from churnkit.engines import Engine
    from churnkit.features.build import FeatureBuilder, History
    from churnkit.features.history import ReadHistory
    from churnkit.labels import Label
    from churnkit.models.bundle import Bundle

__all__ = ["Session", "now", "open_session"]

STALE_DAYS = 7
"""Days without any order before the day of a run, past which the data are probably not up to date."""

logger = logging.getLogger("churnkit")


@dataclass(frozen=True, kw_only=True, eq=False)
class Session:
    """A configuration with its engine open and its tables read.

    Attributes
    ----------
    config : Config
    engine : Engine
    history : ReadHistory or None
        What models are made of: the orders, or the subscriptions; None where metrics do without.
    others : mapping of str to LoadedTable
        Tables beside the orders that the verb asked for.
    as_of : date
        First business day that the run does not know.
    label : Label
        What counts as churned.
    progress : callable
        Told what is being done.
    """

    config: Config
    engine: Engine
    history: ReadHistory | None
    others: Mapping[str, LoadedTable]
    as_of: date
    label: Label
    progress: Callable[[str], None]

    @property
    def read(self) -> ReadHistory:
        """What models are made of: the orders, or the subscriptions.

        Raises
        ------
        ConfigError
            If they are not configured.
        """
        if self.history is None:
            raise ConfigError(_without_history(self.config, table=self.label.table))
        return self.history

    @property
    def loaded(self) -> dict[str, LoadedTable]:
        """Every table that was read."""
        return {**({} if self.history is None else self.history.loaded), **self.others}

    @property
    def reports(self) -> tuple[TableReport, ...]:
        """What was read from each table and what became of it."""
        return tuple(table.report for table in self.loaded.values())

    def span(self) -> tuple[date, date]:
        """Return the first business day and the day after the last: of the orders, or else of all.

        Raises
        ------
        DataError
            If no table has a time.
        """
        return _span(self.history, self.others)

    def plan(self, *, last: date | None = None, test: int | None = None) -> SnapshotPlan:
        """Return the snapshots that the history allows."""
        snapshots = self.config.snapshots
        return plan_snapshots(
            first_day=self.read.first_day,
            end_day=self.read.end_day,
            horizon_days=snapshots.horizon_days,
            gap_days=snapshots.gap_days,
            observation_days=snapshots.observation_days,
            every_days=snapshots.every_days,
            count=snapshots.count,
            test=snapshots.test if test is None else test,
            last=last or snapshots.last,
            time_zone=self.config.data.time_zone,
        )

    @cached_property
    def training_history(self) -> History:
        """The customers to learn from: all, or the share that ``snapshots.customers_share`` says."""
        history, share = self.read.history, self.config.snapshots.customers_share
        if share == 1.0:
            return history
        drawn = history.sample(share, seed=self.config.seed)
        self.progress(
            f"learning from {share:.0%} of the customers, drawn by id; each stands for {1 / share:g}"
        )
        return drawn

    def loader(
        self, builders: Sequence[FeatureBuilder] | None = None, *, history: History | None = None
    ) -> SnapshotLoader:
        """Return what makes labelled snapshots of a history, by default of everybody's."""
        config = self.config
        return SnapshotLoader(
            history=history or self.read.history,
            builders=make_builders(config.features) if builders is None else builders,
            label=self.label,
            active_within_days=config.population.active_within_days,
            min_orders=config.population.min_orders,
            progress=self.progress,
        )

    def uncounted_event_types(self, builders: Sequence[FeatureBuilder]) -> dict[str, int]:
        """Return the event types of the history that none of the builders counts, with their rows."""
        if "events" not in self.others:
            return {}
        rows = self.others["events"].rows
        return uncounted_event_types(rows, builders=builders, engine=self.engine)


@contextmanager
def open_session(
    config: Config,
    *,
    tables: Mapping[str, Any] | None = None,
    as_of: date | str | None = None,
    bundle: Bundle | None = None,
    also: Collection[str] = (),
    needs_orders: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Iterator[Session]:
    """Open the engine, read and check the tables, and close the engine at the end.

    Parameters
    ----------
    config : Config
    tables : mapping of str to frame, optional
        Pandas, Polars or Arrow frames in place of configured sources: ``{"orders": frame}``.
    as_of : date or ISO text, optional
        In place of ``scoring.as_of``.
    bundle : Bundle, optional
        Read the tables as this model was trained, whatever the configuration says now.
    also : collection of str
        Tables beside the orders to read where they are configured.
    needs_orders : bool, default True
        Whether a configuration without the table of its label is refused.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ConfigError
        If there are no orders, or no subscriptions where the label is of them, and they are needed.
    ParameterError
        If ``as_of`` is no day, or ``tables`` has a name that is no table.
    DataError
        If a table cannot be read or breaks its contract.
    """
    told = progress or (lambda _: None)
    data = config.data
    rules = (
        {"time_zone": data.time_zone, "refunds": data.refunds, "duplicates": data.duplicates}
        if bundle is None
        else {key: bundle.data[key] for key in ("time_zone", "refunds", "duplicates")}
    )
    zone = rules["time_zone"]
    limit = as_day(as_of, time_zone=zone) or as_day(
        config.scoring.as_of, time_zone=zone, name="scoring.as_of"
    )
    specs = specs_of(data, tables or {})
    label = make_label(
        {"kind": config.label.kind, **config.label.options} if bundle is None else bundle.label
    )
    if needs_orders and label.table not in specs:
        raise ConfigError(_without_history(config, table=label.table))
    features = config.features if bundle is None else bundle.features
    of_features: frozenset[str] = frozenset()
    if label.table in specs:
        of_features = _tables_of(features, specs=specs) | ({label.table} - {"orders"})
    # What is not set is left to the engine; an engine has only settings that the kind allows.
    asked = config.engine.model_dump(exclude={"kind", "training_tasks"})
    engine = ENGINES[config.engine.kind](**{key: value for key, value in asked.items() if value})
    try:
        told("reading and checking the data")
        as_of_us = limit and midnight_us(limit, time_zone=zone)
        known = {"engine": engine, "as_of_us": as_of_us, "on_invalid": data.on_invalid, **rules}
        history = None
        if "orders" in specs:
            history = read_history(
                {"orders": specs["orders"]},
                order_columns=None if bundle is None else frozenset(bundle.data["columns"]),
                **known,
            )
            _warn_of_stale(history.end_day, limit)
        wanted = {*also, *of_features}
        others = read_others(specs, wanted=wanted, retention=config.retention, **known)
        if label.table in specs:
            mine = {name: table for name, table in others.items() if name in of_features}
            history = with_others(history, mine, stays=label.stays, engine=engine)
        yield Session(
            config=config,
            engine=engine,
            history=history,
            others=others,
            as_of=limit or _span(history, others)[1],
            label=label,
            progress=told,
        )
    finally:
        engine.close()


def _warn_of_stale(end_day: date, as_of: date | None) -> None:
    """Warn where the orders end long before the day of a run: all customers look as if they left."""
    if as_of is None or (days := (as_of - end_day).days) < STALE_DAYS:
        return
    last = end_day - timedelta(days=1)
    logger.warning(
        "orders end on %s, %d days before as_of %s: unless nobody ordered since, the data are not up"
        " to date and the risk of all customers is overstated",
        last,
        days + 1,
        as_of,
    )


def _tables_of(
    features: Mapping[str, Mapping[str, Any]], *, specs: Mapping[str, TableSpec]
) -> frozenset[str]:
    """Return the tables beside the orders that features are made from; each must be configured."""
    needed: dict[str, str] = {}
    for name, builder in zip(features, make_builders(features), strict=True):
        needed |= dict.fromkeys(builder.tables, name)
    known = ("orders", *OTHER_TABLES)
    if absent := [name for name in needed if name not in specs and name in known]:
        needs = [f"features.{needed[name]} needs data.{name}" for name in absent]
        msg = f"features: {'; '.join(needs)}; configure the table or leave the feature out"
        raise ConfigError(msg)
    return frozenset(needed) & frozenset(OTHER_TABLES)


def _without_history(config: Config, *, table: str) -> str:
    return (
        f"{config.name}: data.{table}: required key is missing: label.kind {config.label.kind!r}"
        " needs it; only churnkit metrics and churnkit validate can do without it"
    )


def _span(history: ReadHistory | None, others: Mapping[str, LoadedTable]) -> tuple[date, date]:
    if history is not None:
        return history.first_day, history.end_day
    span = span_of(others.values())
    if span is None:
        msg = "tables: none that was read has a time, so that no period is known"
        raise DataError(msg)
    return span


def now() -> datetime:
    """Return this instant, UTC, to the microsecond."""
    return datetime.now(UTC)
