"""Turns a frame in memory, of whichever library, into Arrow without changing what its cells say."""

from __future__ import annotations

import re
from numbers import Number
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.errors import DataError, ParameterError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["frame_to_arrow"]

WHOLE_TEXT = re.compile(r"-?[0-9]+")


def frame_to_arrow(frame: Any, *, ids: frozenset[str] = frozenset()) -> pa.Table:
    """Return a pandas, Polars, Arrow or other dataframe as an Arrow table.

    Parameters
    ----------
    frame : dataframe
        Any frame that narwhals knows; a lazy one is computed.
    ids : frozenset of str
        Columns that hold ids. In a pandas column of Python objects the number 1 and the text
        ``"1"`` would become one id: there the rarer of the two keeps a mark of its type
        (``'"1"'`` or ``'1 (number)'``), by which the table's contract finds it.

    Raises
    ------
    ParameterError
        If the object is no dataframe.
    DataError
        If a column cannot be expressed in Arrow, or two columns share a name.

    Examples
    --------
    >>> import pandas as pd
    >>> frame_to_arrow(pd.DataFrame({"id": [7, None]})).to_pylist()
    [{'id': 7.0}, {'id': None}]
    """
    import pyarrow as pa

    try:
        table = nw.from_native(frame)
    except TypeError as error:
        msg = (
            "source must be a path, a glob or a dataframe (pandas, Polars, Arrow);"
            f" got {type(frame).__name__}"
        )
        raise ParameterError(msg) from error
    except nw.exceptions.DuplicateError as error:
        said = " ".join(str(error).split())
        msg = f"the frame in memory has two columns of one name; {said}"
        raise DataError(msg) from error
    if isinstance(table, nw.LazyFrame):
        table = table.collect("pyarrow")
    if table.implementation.is_pandas():
        columns = {
            str(name): _column(frame[name], name=str(name), is_id=str(name) in ids)
            for name in frame.columns
        }
        return pa.table(columns)
    if objects := [name for name, dtype in table.schema.items() if dtype == nw.Object]:
        msg = f"column {objects[0]!r} of the frame in memory holds Python objects"
        raise DataError(msg)
    return table.to_arrow()


def _column(series: pd.Series[Any], *, name: str, is_id: bool) -> pa.Array | pa.ChunkedArray:
    """Return a pandas column as Arrow; Python objects that are not of one plain type become text."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(object)
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        # The instants as pandas holds them; to Arrow directly would drop the zone with a warning.
        instants = pa.Array.from_pandas(series.dt.tz_convert(None))
        return instants.cast(pa.timestamp(instants.type.unit, "UTC"))
    try:
        if series.dtype != object:
            return pa.Array.from_pandas(series)
        kind = pd.api.types.infer_dtype(series, skipna=True)
        if kind in {"string", "empty"}:
            return pa.array(series, pa.string(), from_pandas=True)
        if kind in {"integer", "floating", "mixed-integer-float", "decimal", "boolean", "bytes"}:
            try:
                return pa.Array.from_pandas(series)
            except (OverflowError, pa.ArrowInvalid):  # whole numbers longer than 64 bits
                return _as_text(series, is_id=is_id)
        return _as_text(series, is_id=is_id)
    except (pa.ArrowException, TypeError, ValueError) as error:
        msg = f"column {name!r} of the frame in memory ({series.dtype}) is not readable; {error}"
        raise DataError(msg) from error


def _as_text(series: pd.Series[Any], *, is_id: bool) -> pa.Array:
    import pyarrow as pa

    values = [None if gone else v for v, gone in zip(series, series.isna(), strict=True)]
    texts = [None if v is None else _plain_text(v) for v in values]
    if is_id:
        kinds = [_number_kind(v) for v in values]
        numbers, spelled = kinds.count("number"), kinds.count("text")
        if numbers and spelled:
            rarer = "text" if spelled <= numbers else "number"
            mark = '"{}"' if rarer == "text" else "{} (number)"
            texts = [
                mark.format(t) if kind == rarer else t for t, kind in zip(texts, kinds, strict=True)
            ]
    return pa.array(texts, pa.string())


def _number_kind(value: object) -> str | None:
    """Return whether a whole number is held as a number or as text; None for anything else."""
    if isinstance(value, str):
        return "text" if WHOLE_TEXT.fullmatch(value.strip()) else None
    is_number = isinstance(value, Number) and WHOLE_TEXT.fullmatch(_plain_text(value))
    return "number" if is_number else None


def _plain_text(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value).removesuffix(".0") if isinstance(value, Number) else str(value)
