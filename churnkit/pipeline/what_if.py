"""What would bring a customer under the band: the same history with a little more of one thing.

Each step of a lever is a copy of the customer with rows added to the input tables; its features are
built and scored as everybody's are, so that all of them move together. It says what the model
associates with such a history. It does not say that causing the rows causes the customer to stay.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import narwhals as nw
import numpy as np

from churnkit.features.build import History, build_features
from churnkit.features.named import make_builders
from churnkit.models.base import FeatureMatrix
from churnkit.models.population import base_numbers, eligible_customers
from churnkit.models.portfolio import Scored
from churnkit.models.staying import forecast_stays
from churnkit.pipeline.levers import MARK, Step, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
ROUNDING = 1e-9
SLACK = 0.01
"""Share of the width of a range by which a feature may lie outside it."""
BATCH_ROWS = 100_000


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """The smallest step of a lever that brings a customer under the band, or its best step.

    Attributes
    ----------
    lever : str
        ``orders``, ``activity``, ``messages`` or ``tickets``; see :func:`.levers.steps_of`.
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
        whose steps the model is not monotone.
    """
    if not targets:
        return {}
    own = _rows_of(session, list(targets))
    cutoff_us, day_us = population.snapshot.cutoff_us, _business_days(population.snapshot)
    steps = [
        step
        for name in targets
        for step in steps_of(name, own[name], cutoff_us=cutoff_us, day_us=day_us)
    ]
    found = _predicted(session, bundle, population, steps=steps, tables=own[next(iter(own))])
    made: dict[str, list[WhatIf]] = {}
    for name, target in targets.items():
        start = found[Step(customer=name, lever="as is", number=0, says="", tables={}).name]
        levers: dict[str, list[tuple[Step, float, NDArray[np.float32]]]] = {}
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


def _business_days(snapshot: Snapshot) -> Callable[[int], int]:
    zone = ZoneInfo(snapshot.time_zone)
    return lambda us: datetime.fromtimestamp(us / 1e6, tz=zone).toordinal()


def _choose(
    ladder: Sequence[tuple[Step, float, NDArray[np.float32]]],
    *,
    start: tuple[float, NDArray[np.float32]],
    target: float,
    population: ExplainedPopulation,
) -> WhatIf | None:
    """Return the first step below the target, else the last; None if the lever is of no use."""
    inside = [entry for entry in ladder if _in_range(entry[2], start[1], population)]
    probabilities = [start[0], *(p for _, p, _ in inside)]
    if any(b > a + ROUNDING for a, b in pairwise(probabilities)):
        return None
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
    """Return whether every feature that changed lies within the range of the population."""
    changed = ~np.isclose(values, start, rtol=1e-5, equal_nan=True) & np.isfinite(values)
    slack = SLACK * (population.highest - population.lowest)
    inside = (values >= population.lowest - slack) & (values <= population.highest + slack)
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


def _predicted(
    session: Session,
    bundle: Bundle,
    population: ExplainedPopulation,
    *,
    steps: Sequence[Step],
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
    steps: Sequence[Step],
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
    built = build_features(replace(history, tables=joined), snapshot, builders=builders)
    kept = [
        part.filter(pc.match_substring(part.column("customer_id"), MARK))
        for part in built.batches(rows=BATCH_ROWS)
    ]
    return pa.concat_tables(kept)
