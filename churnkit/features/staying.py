"""How likely each subscriber is to stay, by the retention curve of all who are known at a cutoff."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ModelGuardError

if TYPE_CHECKING:
    from churnkit.btyd import RetentionCurve
    from churnkit.features.known import Known

__all__ = ["with_log_stay"]

logger = logging.getLogger("churnkit")


def with_log_stay(stays: nw.LazyFrame[Any], known: Known) -> tuple[nw.LazyFrame[Any], nw.Expr]:
    """Return stays with ``log_stay``, and how a customer's is made of them.

    ``log_stay`` is the log of P(a running stay lasts to the end of the horizon), by the curve of
    :func:`churnkit.btyd.fit_retention_curve`, fitted to all stays as they were known at the cutoff.
    A customer keeps all of several with the product of the probabilities. It is null for everybody
    where nobody was seen to leave, with a warning in the log.

    Parameters
    ----------
    stays : narwhals.LazyFrame
        Those of the customers whose features are built.
    known : Known
        All stays, from which the curve is learned.
    """
    import pyarrow as pa

    age = _days(nw.lit(known.snapshot.cutoff_us) - nw.col("started_at_us"))
    curve, oldest = _fit(known, age=age)
    if curve is None:
        return stays.with_columns(log_stay=nw.lit(None).cast(nw.Float64)), nw.col("log_stay").max()
    tenure = np.arange(oldest + 1)
    within = known.snapshot.gap_days + known.snapshot.horizon_days
    lasting = curve.log_staying(tenure, within_days=within)
    table = pa.table({"tenure_days": pa.array(tenure, pa.int64()), "log_stay": lasting})
    expected = known.engine.select(f"SELECT * FROM {known.engine.add_arrow(table)}")
    joined = stays.with_columns(tenure_days=age).join(expected, on="tenure_days", how="left")
    runs = (nw.col("running") > 0).cast(nw.Float64)
    return joined, (runs * nw.col("log_stay")).sum()


def _fit(known: Known, *, age: nw.Expr) -> tuple[RetentionCurve | None, int]:
    """Return the curve of stays counted by age and length, and the highest age in days."""
    from churnkit.btyd import fit_retention_curve

    if known.stays is None:
        return None, 0
    ended = ~nw.col("ended_at_us").is_null()
    length = (
        nw.when(ended).then(_days(nw.col("ended_at_us") - nw.col("started_at_us"))).otherwise(age)
    )
    by = ("age", "left", "ended")
    cells = known.stays.select(age=age, left=length, ended=ended).group_by(*by).agg(stays=nw.len())
    table = known.engine.collect(cells).sort_by([(name, "ascending") for name in by])
    ages, left, gone, count = (table[name].to_numpy() for name in (*by, "stays"))
    try:
        curve = fit_retention_curve(ages, left_days=left, ended=gone, count=count)
    except ModelGuardError as error:
        logger.warning("%s at %s", error, known.snapshot.cutoff)
        return None, 0
    return curve, int(ages.max())


def _days(us: nw.Expr) -> nw.Expr:
    return (us // US_PER_DAY).cast(nw.Int64)
