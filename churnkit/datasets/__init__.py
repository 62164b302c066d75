"""Real customer histories shipped with the package: where each file lies, and a loader for each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.errors import UnknownNameError
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DATASETS", "Dataset", "dataset_path", "load_cdnow", "load_online_retail_ii"]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One bundled file, as ``churnkit list datasets`` shows it.

    Attributes
    ----------
    name : str
        The name a configuration uses: ``source: dataset:<name>``.
    rows, customers : int
        Rows of the file, and distinct customers among the rows that name one.
    first_day, last_day : str
        ISO dates of the first and the last row.
    what : str
        One sentence on the content.
    licence : str
        On what terms the data may be passed on; README.md in this folder cites the sources.
    """

    name: str
    rows: int
    customers: int
    first_day: str
    last_day: str
    what: str
    licence: str


_CDNOW_LICENCE = "published by Fader and Hardie for research"

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="cdnow",
            rows=69_659,
            customers=23_570,
            first_day="1997-01-01",
            last_day="1998-06-30",
            what="Orders of every customer whose first order at CDNOW fell in early 1997.",
            licence=_CDNOW_LICENCE,
        ),
        Dataset(
            name="cdnow_sample",
            rows=6_919,
            customers=2_357,
            first_day="1997-01-01",
            last_day="1998-06-30",
            what="The one-in-ten sample of cdnow on which the purchase-count papers report.",
            licence=_CDNOW_LICENCE,
        ),
        Dataset(
            name="online_retail_ii",
            rows=1_044_847,
            customers=5_942,
            first_day="2009-12-01",
            last_day="2011-12-09",
            what="Invoice lines of a UK gift shop, with cancellations and unknown customers.",
            licence="CC BY 4.0",
        ),
    )
}


def dataset_path(name: str) -> Path:
    """Return the Parquet file of a bundled dataset.

    Parameters
    ----------
    name : str
        A key of :data:`DATASETS`.

    Returns
    -------
    pathlib.Path
        Absolute path of a zstd-compressed Parquet file inside the installed package.

    Raises
    ------
    UnknownNameError
        If no dataset has this name; the message offers the nearest one.

    Examples
    --------
    >>> dataset_path("cdnow_sample").name
    'cdnow_sample.parquet'
    """
    if name not in DATASETS:
        known = ", ".join(DATASETS)
        msg = f"unknown dataset {name!r}.{did_you_mean(name, DATASETS)} Known: {known}."
        raise UnknownNameError(msg)
    return Path(__file__).resolve().parent / f"{name}.parquet"


def load_online_retail_ii() -> pd.DataFrame:
    """Invoice lines of a UK online gift shop with many wholesale customers, 2009-12 to 2011-12.

    The table is as the shop's system wrote it, so that a pipeline meets what real data hold:
    cancellations (order ids that start with ``C``, negative quantities), 235,287 lines without a
    customer, prices of zero, postage and bank charges among the products. One thing is mended:
    the days 2010-12-01 to 2010-12-09, which the source holds in both of its sheets, are here once.

    Returns
    -------
    pandas.DataFrame, shape (1_044_847, 8)
        One row per invoice line, in order of time:

        ``customer_id``
            Int64, missing where the shop knew no customer.
        ``timestamp``
            datetime64[us] to the minute, naive, London time.
        ``amount``
            float64, quantity times unit price in pounds sterling, negative for returns.
        ``order_id``
            str, the invoice number.
        ``quantity``
            int64, negative for returns.
        ``unit_price``
            float64, pounds sterling.
        ``product_id``
            str, the stock code.
        ``country``
            str.

    References
    ----------
    .. [1] D. Chen (2012), "Online Retail II", UCI Machine Learning Repository,
       doi:10.24432/C5CG6D, CC BY 4.0.

    Examples
    --------
    >>> lines = load_online_retail_ii()
    >>> len(lines), lines["customer_id"].nunique()
    (1044847, 5942)
    """
    lines = _read("online_retail_ii")
    return lines.astype({"customer_id": "Int64"})


def load_cdnow(*, sample: bool = False) -> pd.DataFrame:
    """Orders of one acquisition cohort of the CD shop CDNOW, 1997-01 to 1998-06.

    The reference data of the literature on purchase-count models: 23,570 customers who all placed
    their first order in the first quarter of 1997. 80 orders amount to zero, and some customers
    have several rows on one day, a few of them identical; the papers merge the rows of a day.

    Parameters
    ----------
    sample : bool, default False
        Return the systematic one-in-ten sample (2,357 customers) on which the papers report.

    Returns
    -------
    pandas.DataFrame, shape (69_659, 4) or (6_919, 4)
        One row per order, in order of time: ``customer_id`` (int64, the same in both tables),
        ``timestamp`` (datetime64[us], midnight of the day), ``amount`` (float64, US dollars) and
        ``quantity`` (int64, CDs).

    References
    ----------
    .. [1] P. S. Fader, B. G. S. Hardie (2001), "Forecasting Repeat Sales at CDNOW: A Case Study",
       Interfaces 31(3), S94-S107, doi:10.1287/inte.31.3s.94.9683.

    Examples
    --------
    >>> len(load_cdnow()), load_cdnow(sample=True)["customer_id"].nunique()
    (69659, 2357)
    """
    return _read("cdnow_sample" if sample else "cdnow")


def _read(name: str) -> pd.DataFrame:
    """Return a bundled file as pandas holds it."""
    import pandas as pd

    return pd.read_parquet(dataset_path(name), engine="pyarrow")
