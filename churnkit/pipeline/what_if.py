"""What would bring a customer under the band: the same history with a few more orders, visits or answers.

Each step of a lever is a copy of the customer with rows added to the input tables; its features are
built and scored as everybody's are, so that all of them move together. It says what the model
associates with such a history. It does not say that causing the rows causes the customer to stay.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.data.windows import US_PER_DAY
from churnkit.features.build import History, build_features
from churnkit.features.named import make_builders
from churnkit.models.base import FeatureMatrix, base_numbers, eligible_customers
from churnkit.models.portfolio import Scored
from churnkit.models.staying import forecast_stays

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot
    from churnkit.features.build import FeatureBuilder
    from churnkit.models.bundle import Bundle
    from churnkit.pipeline.population import ExplainedPopulation
    from churnkit.pipeline.session import Session

    Row = dict[str, Any]
    Tables = dict[str, list[Row]]

__all__ = ["NOTE", "WhatIf", "what_if"]

NOTE = (
    "An association, not an effect: what the model expects of customers with such a history. Whether"
    " bringing it about keeps this customer, only an experiment tells."
)
WITHIN_DAYS = 30
ORDER_STEPS = (1, 2, 3)
VISIT_STEPS = (2, 4, 8)
MARK = "\u241f"  # of copies; no id in a file holds it
ROUNDING = 1e-9
BATCH_ROWS = 100_000


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """The smallest step of a lever that brings a customer under the band, or its best step.

    Attributes
    ----------
    lever : str
        ``orders``, ``visits`` or ``tickets``.
    says : str
        What would be different.
    churn_probability : float
        With it.
    reaches : bool
        Whether that is below the band.
    """

    lever: str
    says: str
    churn_probability: float
    reaches: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class _Step:
    """A copy of a customer: which lever, how far, and all rows of its tables."""

    customer: str
    lever: str
    number: int
    says: str
    tables: Mapping[str, list[Row]]

    @property
    def name(self) -> str:
        return f"{self.customer}{MARK}{self.lever}{MARK}{self.number}"


def what_if(
    session: Session,
    bundle: Bundle,
    population: ExplainedPopulation,
    *,
    targets: Mapping[str, float],
) -> dict[str, list[WhatIf]]:
    """Return, for each customer, what would bring the churn probability below a target.

    Parameters
    ----------
    session, bundle, population
        What was explained.
    targets : mapping of str to float
        By customer in the population, the probability at which the band begins.

    Returns
    -------
    dict of str to list of WhatIf
        One of each lever along which the probability falls with every step, the lowest first. A
        step with a feature outside the range of the population is left out; so is a lever along
        which the model is not monotone.
    """
    if not targets:
        return {}
    own = _rows_of(session, list(targets))
    steps = [s for name in targets for s in _steps(name, own[name], population=population)]
    found = _predicted(session, bundle, population, steps=steps, tables=own[next(iter(own))])
    made: dict[str, list[WhatIf]] = {}
    for name, target in targets.items():
        start = found[_Step(customer=name, lever="as is", number=0, says="", tables={}).name]
        levers: dict[str, list[tuple[_Step, float, NDArray[np.float32]]]] = {}
        for step in (s for s in steps if s.customer == name and s.lever != "as is"):
            if step.name in found:
                levers.setdefault(step.lever, []).append((step, *found[step.name]))
        best = [
            choice
            for ladder in levers.values()
            if (choice := _choose(ladder, start=start, target=target, population=population))
        ]
        made[name] = sorted(best, key=lambda w: w.churn_probability)
    return made


def _choose(
    ladder: Sequence[tuple[_Step, float, NDArray[np.float32]]],
    *,
    start: tuple[float, NDArray[np.float32]],
    target: float,
    population: ExplainedPopulation,
) -> WhatIf | None:
    """Return the first step below the target, else the last; None if the lever is of no use."""
    probabilities = [start[0], *(p for _, p, _ in ladder)]
    if any(b > a + ROUNDING for a, b in pairwise(probabilities)):
        return None
    inside = []
    for entry in ladder:
        if not _in_range(entry[2], start[1], population):
            break
        inside.append(entry)
    if not inside or inside[-1][1] >= start[0] - ROUNDING:
        return None
    step, probability, _ = next((e for e in inside if e[1] < target), inside[-1])
    return WhatIf(
        lever=step.lever,
        says=step.says,
        churn_probability=probability,
        reaches=probability < target,
    )


def _in_range(
    values: NDArray[np.float32], start: NDArray[np.float32], population: ExplainedPopulation
) -> bool:
    """Return whether every feature that changed lies where somebody's in the population does."""
    changed = ~np.isclose(values, start, rtol=1e-5, equal_nan=True) & np.isfinite(values)
    inside = (values >= population.lowest) & (values <= population.highest)
    return bool(inside[changed].all())


def _rows_of(session: Session, ids: Sequence[str]) -> dict[str, Tables]:
    """Return the rows of customers before the cutoff, by customer and table."""
    found: dict[str, Tables] = {name: {} for name in ids}
    for table, frame in session.read.history.tables.items():
        rows = session.engine.collect(frame.filter(nw.col("customer_id").is_in(list(ids))))
        for tables in found.values():
            tables[table] = []
        for row in rows.to_pylist():
            found[row["customer_id"]][table].append(row)
    return found


def _steps(name: str, tables: Tables, *, population: ExplainedPopulation) -> Iterator[_Step]:
    """Return the copy as it is, and one for each step of each lever that the customer has."""
    cutoff_us = population.snapshot.cutoff_us
    yield _Step(customer=name, lever="as is", number=0, says="", tables=tables)
    placed = [r for r in tables["orders"] if r["is_order"] == 1 and r["ts_us"] < cutoff_us]
    if placed:
        last = max(placed, key=lambda row: row["ts_us"])
        for n in ORDER_STEPS:
            says = f"{n} more order{'s' * (n > 1)} like the last within {WITHIN_DAYS} days"
            changed = _with_orders(tables, last, times=_spread(n, cutoff_us), cutoff_us=cutoff_us)
            yield _Step(customer=name, lever="orders", number=n, says=says, tables=changed)
    kinds = Counter(row["event_type"] for row in tables.get("events", ()))
    visits = [kind for kind, _ in kinds.most_common() if not kind.endswith(("_sent", "purchase"))]
    if visits:
        kind = visits[0]
        like = next(row for row in tables["events"] if row["event_type"] == kind)
        for n in VISIT_STEPS:
            said = kind.replace("_", " ")
            added = [{**like, "ts_us": at} for at in _spread(n, cutoff_us)]
            for row in added:
                row.update({key: None for key in ("session_id",) if key in row})
            changed = {**tables, "events": [*tables["events"], *added]}
            yield _Step(
                customer=name,
                lever="visits",
                number=n,
                says=f"“{said}” on {n} more days within {WITHIN_DAYS} days",
                tables=changed,
            )
    waiting = [r for r in tables.get("support_tickets", ()) if _is_open(r, cutoff_us)]
    if waiting:
        closed = [
            {**r, "resolved_at_us": cutoff_us - US_PER_DAY} if r in waiting else r
            for r in tables["support_tickets"]
        ]
        yield _Step(
            customer=name,
            lever="tickets",
            number=1,
            says=f"{len(waiting)} open ticket{'s' * (len(waiting) > 1)} resolved the day before",
            tables={**tables, "support_tickets": closed},
        )


def _is_open(ticket: Row, cutoff_us: int) -> bool:
    if "resolved_at_us" not in ticket or ticket["opened_at_us"] >= cutoff_us - US_PER_DAY:
        return False
    resolved = ticket["resolved_at_us"]
    return resolved is None or resolved >= cutoff_us


def _spread(count: int, cutoff_us: int) -> list[int]:
    """Return instants evenly over the last days, the newest a day before the cutoff."""
    every = WITHIN_DAYS * US_PER_DAY // count
    return [cutoff_us - US_PER_DAY - step * every for step in range(count)]


def _with_orders(tables: Tables, last: Row, *, times: Sequence[int], cutoff_us: int) -> Tables:
    """Return the tables with orders like the last one, on days that have none yet."""
    kept = [dict(row) for row in tables["orders"] if row["ts_us"] < cutoff_us]
    day_of = (last["ts_us"] // US_PER_DAY) - last["day"]
    for at in times:
        day = at // US_PER_DAY - day_of
        kept.append({**last, "ts_us": at, "day": day, "is_order_day": 1, "refunded_at_us": None})
    kept.sort(key=lambda row: row["ts_us"])
    previous: Row | None = None
    for row in kept:
        row["previous_order_us"] = row["next_order_us"] = None
        if row["is_order_day"] != 1:
            continue
        if previous is not None and previous["day"] == row["day"]:
            row["is_order_day"] = 0
            continue
        if previous is not None:
            row["previous_order_us"] = previous["ts_us"]
            previous["next_order_us"] = row["ts_us"]
        previous = row
    changed = {**tables, "orders": kept}
    if "lines" in tables:
        same = [
            row for row in tables["lines"] if row["ts_us"] // US_PER_DAY - day_of == last["day"]
        ]
        new = [
            {**row, "ts_us": at, **({"order_id": f"{MARK}{i}"} if "order_id" in row else {})}
            for i, at in enumerate(times)
            for row in same
        ]
        changed["lines"] = [*tables["lines"], *new]
    return changed


def _predicted(
    session: Session,
    bundle: Bundle,
    population: ExplainedPopulation,
    *,
    steps: Sequence[_Step],
    tables: Tables,
) -> dict[str, tuple[float, NDArray[np.float32]]]:
    """Return probability and features of each copy that is in the population."""
    snapshot = population.snapshot
    builders = make_builders(bundle.features)
    copies = _built(session.read.history, snapshot, builders=builders, steps=steps, tables=tables)
    base = base_numbers(copies)
    eligible = eligible_customers(base, snapshot, **bundle.population)
    mine = copies.filter(eligible)
    matrix = FeatureMatrix.from_arrow(mine, names=bundle.feature_names)
    forecast = None if population.fitted is None else population.fitted.forecast(base)[eligible]
    models = bundle.models
    mine_base = {name: values[eligible] for name, values in base.items()}
    scored = Scored(
        log_odds=models.churn.log_odds(matrix),
        value=models.value(matrix, base=mine_base),
        forecast=forecast,
        staying=forecast_stays(mine_base, snapshot),
    )
    probability = models.apply_level(scored, level=population.level).churn_probability
    names = mine.column("customer_id").to_pylist()
    return {
        name: (float(p), row)
        for name, p, row in zip(names, probability, matrix.values, strict=True)
    }


def _built(
    history: History,
    snapshot: Snapshot,
    *,
    builders: Sequence[FeatureBuilder],
    steps: Sequence[_Step],
    tables: Tables,
) -> pa.Table:
    """Return the features of the copies, built beside everybody: some features are ranks."""
    import pyarrow as pa
    import pyarrow.compute as pc

    engine = history.engine
    joined = dict(history.tables)
    for table in tables:
        schema = engine.collect(history.tables[table].head(0)).schema
        rows = [{**row, "customer_id": step.name} for step in steps for row in step.tables[table]]
        if rows:
            copies = engine.select(
                f"SELECT * FROM {engine.add_arrow(pa.Table.from_pylist(rows, schema=schema))}"
            )
            joined[table] = nw.concat([history.tables[table], copies])
    built = build_features(History(tables=joined, engine=engine), snapshot, builders=builders)
    kept = [
        part.filter(pc.match_substring(part.column("customer_id"), MARK))
        for part in built.batches(rows=BATCH_ROWS)
    ]
    return pa.concat_tables(kept)
