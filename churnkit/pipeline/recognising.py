"""Recognises what a data file holds, orders, events, subscriptions and more, by its columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from churnkit.config import TABLE_COLUMNS
from churnkit.errors import DataError, ParameterError
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["RecognisedFile", "recognise", "recognise_files"]


def _joined(stems: str, endings: str) -> tuple[str, ...]:
    """Return every stem with every ending, by stem."""
    return tuple(stem + ending for stem in stems.split() for ending in endings.split())


BUYERS = (
    "customer cust client user member account buyer shopper household consumer visitor subscriber"
    " donor guest player contact person card"
)
CUSTOMER = (
    "customerid",
    "customer",
    "customeruniqueid",
    *_joined(BUYERS, "id no nr number num key code uuid guid"),
    *("client", "user", "member", "account", "household", "email", "cid", "uid"),
)
PRODUCT = (
    *("productid", "stockcode", "sku", "itemid", "product", "item"),
    *("articleid", "productcode", "upc"),
)
TIME = ("timestamp", "ts", "datetime", "date", "time", "createdat")
BOUGHT = "order invoice purchase transaction sale payment basket receipt"
# What columns are called, in lower case without separators, the surest first; by table.
SPELLINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "orders": {
        "customer_id": CUSTOMER,
        "ts": (
            "timestamp", "ts", "orderdate", "invoicedate", "orderedat", "createdat", "purchasedate",
            "transactiondate", "purchasedat", "placedat", "paidat", "soldat", "saledate",
            "orderpurchasetimestamp", *_joined(BOUGHT, "timestamp datetime date time at on ts"),
            "datetime", "date", "time", "day",
        ),
        "amount": (
            "amount", "revenue", "netamount", "total", "totalprice", "ordervalue", "orderamount",
            "ordertotal", "totalamount", "grandtotal", "linetotal", "subtotal", "sales",
            "salesamount", "salesvalue", "netsales", "turnover", "gmv", "amountpaid", "totalpaid",
            *_joined(BOUGHT, "amount value total amt"), "amt", "spend", "value", "unitprice",
            "itemprice", "priceperunit", "price",
        ),
        "order_id": (
            "orderid", "invoice", "invoiceno", "invoiceid", "transactionid", "basketid",
            *_joined(BOUGHT, "id no nr number num key code"), "order",
        ),
        "product_id": PRODUCT,
        "quantity": ("quantity", "qty", "units", "pieces"),
        "discount": ("discount", "discountamount"),
    },
    "events": {
        "customer_id": CUSTOMER,
        "ts": ("eventtime", "eventtimestamp", "eventdate", "occurredat", *TIME),
        "event_type": ("eventtype", "eventname", "event", "action", "activity"),
        "channel": ("channel",),
        "campaign_id": ("campaignid", "campaign"),
        "session_id": ("sessionid", "session"),
        "product_id": PRODUCT,
        "value": ("value", "amount"),
    },
    "subscriptions": {
        "customer_id": CUSTOMER,
        "started_at": ("startedat", "startdate", "start", "createddate", "begin", "validfrom"),
        "ended_at": (
            "endedat", "enddate", "end", "canceledat", "cancelledat", "canceleddate",
            "cancelleddate", "canceldate", "churndate", "validto",
        ),
        "mrr": (
            "mrr", "mrramount", "monthlyrevenue", "monthlyprice", "monthlyfee",
            "subscriptioncost", "monthlycharges",
        ),
        "subscription_id": ("subscriptionid", "contractid"),
        "plan": ("plan", "plantier", "planname", "tier"),
        "seats": ("seats", "licences", "licenses"),
        "billing_months": ("billingmonths",),
        "payment_failed_at": ("paymentfailedat",),
    },
    "support_tickets": {
        "customer_id": CUSTOMER,
        "opened_at": ("openedat", "opened", "submittedat", "opendate", "ticketdate", "createdat"),
        "first_response_at": ("firstresponseat", "respondedat", "answeredat", "firstreplyat"),
        "resolved_at": ("resolvedat", "closedat", "solvedat", "resolved", "closed"),
        "channel": ("channel",),
        "priority": ("priority", "severity"),
    },
    "surveys": {
        "customer_id": CUSTOMER,
        "ts": ("answeredat", "respondedat", "surveydate", *TIME),
        "survey": ("survey", "surveytype", "kind"),
        "score": ("score", "rating", "csat", "nps", "ces", "csatscore", "npsscore", "cesscore"),
    },
    "rewards": {
        "customer_id": CUSTOMER,
        "issued_at": ("issuedat", "issued", "issuedate", "grantedat", "awardedat"),
        "redeemed_at": ("redeemedat", "redeemed", "redeemdate", "usedat"),
        "value": ("value", "amount", "worth"),
    },
    "customers": {
        "customer_id": CUSTOMER,
        "since": ("since", "registeredat", "signupdate", "signedupat", "joinedat", "createdat"),
    },
    "marketing_costs": {
        "ts": TIME,
        "amount": ("amount", "cost", "costs", "spend"),
        "channel": ("channel",),
    },
    "campaigns": {
        "customer_id": CUSTOMER,
        "ts": TIME,
        "treatment": ("treatment", "group", "arm", "segment"),
        "outcome": ("outcome", "converted", "conversion"),
        "cost": ("cost",),
    },
}  # fmt: skip
# What no other table has: a file with all of these is of that table.
SIGNS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "events": (("event_type",),),
    "subscriptions": (("started_at", "ended_at", "mrr"),),
    "support_tickets": (
        ("opened_at", "resolved_at"),
        ("opened_at", "first_response_at"),
        ("opened_at", "priority"),
    ),
    "surveys": (("score",),),
    "rewards": (("issued_at",),),
    "campaigns": (("treatment", "outcome"),),
}
ORDERED = ("amount", "order_id", "product_id", "quantity")
SURVEYS = ("csat", "nps", "ces")


@dataclass(frozen=True, kw_only=True)
class RecognisedFile:
    """A data file, the table that it is, and its columns.

    Attributes
    ----------
    table : str
        Name under ``data``.
    source : str
        The file.
    columns : mapping of str to str
        Our column names, each with the file's own.
    survey : str or None
        Of surveys without a column that says it: the kind of all rows.
    """

    table: str
    source: str
    columns: Mapping[str, str]
    survey: str | None = None


def recognise(columns: Sequence[str], *, table: str = "orders") -> dict[str, str]:
    """Return our column names of a table with those of a file that look like them.

    Examples
    --------
    >>> recognise(["Invoice", "StockCode", "Quantity", "InvoiceDate", "Customer ID"])
    {'customer_id': 'Customer ID', 'ts': 'InvoiceDate', 'order_id': 'Invoice',
     'product_id': 'StockCode', 'quantity': 'Quantity'}
    """
    plain = {_plain(column): column for column in columns}
    found: dict[str, str] = {}
    for ours, spellings in SPELLINGS[table].items():
        match = next((plain[s] for s in spellings if s in plain), None)
        if match is not None and match not in found.values():
            found[ours] = match
    return found


def recognise_files(
    files: Mapping[str, Sequence[str]], *, said: Mapping[str, Sequence[str]]
) -> list[RecognisedFile]:
    """Return what each file is, in the order of the tables.

    A log of events can be given as ``orders`` as well: its purchases, or its visits.

    Parameters
    ----------
    files : mapping of str to sequence of str
        The columns of each file.
    said : mapping of str to sequence of str
        The tables of those files of which it was said; "" stands for what the columns say.

    Raises
    ------
    ParameterError
        If a table that was said does not exist.
    DataError
        If a file is of no table or could be of several, two are of one, or a needed column is not
        there.
    """
    by_table: dict[str, RecognisedFile] = {}
    given = [(file, table) for file in files for table in said.get(file, ("",))]
    for file, wanted in given:
        columns = files[file]
        table = wanted or _table_of(file, columns)
        if table not in SPELLINGS:
            guess = did_you_mean(table, SPELLINGS)
            msg = f"init: unknown table {table!r}.{guess} Known: {', '.join(SPELLINGS)}."
            raise ParameterError(msg)
        if table == "campaigns":
            msg = f"{file}: looks like campaigns, a table that is not built yet; leave it out"
            raise DataError(msg)
        if (other := by_table.get(table)) is not None:
            msg = (
                f"{other.source} and {file} both look like {table}; leave one out, give both as one"
                f" glob, or say what one of them is: churnkit init TABLE={file}"
            )
            raise DataError(msg)
        by_table[table] = _recognised(table, file, columns)
    return [by_table[table] for table in SPELLINGS if table in by_table]


def _plain(column: str) -> str:
    return re.sub(r"[^a-z0-9]", "", column.lower())


def _table_of(file: str, columns: Sequence[str]) -> str:
    """Return the one table that a file can be."""
    fits = [
        table
        for table, signs in SIGNS.items()
        if any({*sign, *_needed(table)} <= recognise(columns, table=table).keys() for sign in signs)
    ]
    orders, costs = recognise(columns), recognise(columns, table="marketing_costs")
    if not fits and {"customer_id", "ts"} <= orders.keys():
        # With nothing that is bought and something else, the time may be that of joining.
        bought = any(name in orders for name in ORDERED)
        fits = ["orders"] if bought or len(columns) == len(orders) else ["orders", "customers"]
    elif not fits and "customer_id" in orders:
        fits = ["customers"]
    elif not fits and {"ts", "amount"} <= costs.keys():
        fits = ["marketing_costs"]
    if not fits:
        missing = [name for name in ("customer_id", "ts") if name not in orders]
        msg = (
            f"{file}: no column looks like {' or '.join(missing)}; columns: {', '.join(columns)}."
            f" Say what it is, churnkit init TABLE={file}, or write the mapping by hand under data"
        )
        raise DataError(msg)
    if len(fits) > 1:
        ways = " or ".join(f"{table}={file}" for table in fits)
        msg = f"{file}: its columns fit {' and '.join(fits)}; say which: churnkit init {ways}"
        raise DataError(msg)
    return fits[0]


def _needed(table: str) -> list[str]:
    """Return the columns that a table cannot do without."""
    return [
        name for name, field in TABLE_COLUMNS[table].model_fields.items() if field.is_required()
    ]


def _recognised(table: str, file: str, columns: Sequence[str]) -> RecognisedFile:
    found = recognise(columns, table=table)
    if missing := [name for name in _needed(table) if name not in found]:
        msg = (
            f"{file}: as {table}, no column looks like {' or '.join(missing)}; columns:"
            f" {', '.join(columns)}. Write the mapping by hand: data.{table}.columns"
        )
        raise DataError(msg)
    survey = None
    if table == "surveys" and "survey" not in found:
        named = _plain(found["score"]) + _plain(file)
        survey = next((kind for kind in SURVEYS if kind in named), None)
        if survey is None:
            msg = (
                f"{file}: surveys without a column survey must be of one kind, and neither the column"
                f" {found['score']!r} nor the name of the file says whether csat, nps or ces"
            )
            raise DataError(msg)
    if table == "customers":
        rest = {
            re.sub(r"\W+", "_", c.strip().lower()): c for c in columns if c not in found.values()
        }
        found |= rest
    return RecognisedFile(table=table, source=file, columns=found, survey=survey)
