"""Scores a history held in memory, as a model that MLflow loads or serves does."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from churnkit.data.windows import as_day, midnight_us
from churnkit.engines import DuckDBEngine
from churnkit.features.named import make_builders
from churnkit.reasons import Reasons, contributions, phrases_of
from churnkit.scoring import ScoreRequest, score_customers, score_schema
from churnkit.tracking.frame_tables import customers_beside_orders, read_frames

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

    from churnkit.features.build import FeatureBuilder
    from churnkit.models.base import FeatureMatrix
    from churnkit.models.bundle import Bundle

__all__ = ["RISK_BANDS", "frame_schema", "score_frame"]

RISK_BANDS = {"medium": 0.33, "high": 0.66}


def frame_schema(bundle: Bundle, *, reasons: int) -> pa.Schema:
    """Return the columns of the score table that :func:`score_frame` makes of a bundle."""
    columns = _reasons(bundle, builders=(), count=reasons).column_names
    return score_schema(
        reason_columns=columns,
        time_zone=bundle.data["time_zone"],
        subscribers=bundle.models.contract is not None,
    )


def score_frame(
    tables: Any,
    bundle: Bundle,
    *,
    as_of: date | str | None = None,
    risk_bands: Mapping[str, float] = RISK_BANDS,
    reasons: int = 3,
) -> pd.DataFrame:
    """Return the score table of a history.

    Parameters
    ----------
    tables : dataframe or mapping of str to dataframe
        The history, all of it, with the columns that the model was trained with
        (``bundle.data["tables"]``): pandas, Polars or Arrow. A model of orders alone takes their
        frame; one of several tables takes them by name, or stacked in one frame whose column
        ``table`` says to which of them each row belongs.
    bundle : Bundle
        The model.
    as_of : date or ISO text, optional
        First business day that is not known; by default the day after the last in the data.
    risk_bands : mapping of str to float
        ``medium`` and ``high``: probabilities at which the bands begin.
    reasons : int
        Reasons per customer.

    Returns
    -------
    pandas.DataFrame
        Columns of :func:`frame_schema`, one row per customer, by ``customer_id``; days are
        timestamps at midnight.

    Raises
    ------
    ParameterError
        If ``as_of`` is no date, or stacked rows do not say to which table they belong.
    DataError
        If a table holds no valid row.
    ModelGuardError
        If a table or a column that the model was trained with is missing.
    """
    import pyarrow as pa

    zone = bundle.data["time_zone"]
    day = as_day(as_of, time_zone=zone)
    builders = make_builders(bundle.features)
    wording = _reasons(bundle, builders=builders, count=reasons)

    def explained(features: FeatureMatrix) -> dict[str, list[Any]]:
        return wording.columns(features, contributions(bundle.models.churn.learner, features))

    parts: list[pa.Table] = []
    with DuckDBEngine() as engine:
        as_of_us = None if day is None else midnight_us(day, time_zone=zone)
        read = read_frames(tables, bundle, engine=engine, as_of_us=as_of_us)
        score_customers(
            read.history,
            bundle,
            builders=builders,
            request=ScoreRequest(
                as_of=day or read.end_day,
                risk_bands=risk_bands,
                reason_columns=wording.column_names,
                explain=explained,
                scored_at=datetime.now(UTC),
            ),
            without_valid_rows=customers_beside_orders(read),
            write=parts.append,
        )
    table = pa.concat_tables(parts).sort_by("customer_id")
    # Days as timestamps: an object column of dates does not survive JSON and Parquet alike.
    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    return frame


def _reasons(bundle: Bundle, *, builders: Sequence[FeatureBuilder], count: int) -> Reasons:
    return Reasons(
        phrases=phrases_of(builders), typical=bundle.typical, groups=bundle.groups, count=count
    )
