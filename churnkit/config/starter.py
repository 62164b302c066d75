"""Writes a commented configuration for data files, ready to run and to edit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from churnkit.config.columns import TABLE_COLUMNS
from churnkit.config.schema import Config
from churnkit.config.starter_text import ABOUT, TEMPLATE
from churnkit.config.yaml_text import dump_flow, parse_yaml
from churnkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["StarterTable", "starter_config"]

HORIZONS_DAYS = (90, 60, 30, 14, 7)
HORIZONS_IN_HISTORY = 4  # one before the first cutoff, one to learn, one to test, one to spare
EVERY_DAYS = 30
SHORT_DAYS = 2 * 365  # below, orders that count for a year leave nobody who can have left

_OF_ORDERS = {
    "rfm": "{windows_days: [30, 90, 180, 365]}",
    "regularity": "{}",
    "basket": "{}",
    "purchase_model": "{kind: bg_nbd}",
}
_OF_OTHERS = {
    "events": "engagement",
    "subscriptions": "subscription",
    "support_tickets": "support",
    "surveys": "survey",
    "rewards": "loyalty",
}
_SUBSCRIPTION_OPTIONS = {
    "seats": "seats",
    "billing_months": "renewals",
    "payment_failed_at": "failed_payments",
}


@dataclass(frozen=True, kw_only=True)
class StarterTable:
    """What a configuration says of a table.

    Attributes
    ----------
    source : str
        ``dataset:NAME``, or a path or glob of Parquet or CSV files.
    columns : mapping of str to str
        Our column names, each with the source's own or a computed one.
    computed : mapping of str to str
        New columns, each an SQL expression on the source's own.
    filter : str or None
        SQL on the source's own columns, true of the rows that count.
    survey : str or None
        Of surveys: the kind of all rows, if no column says it.
    numbers : tuple of str
        Of customers: attributes that are numbers; the others are categories.
    encoding : {"utf-8", "latin-1", "utf-16"}
        Of the text of CSV files.
    joined : mapping of str to str
        Further files by the names that the query gives them.
    query : str or None
        SELECT on ``source`` and the joined files whose rows are the table.
    """

    source: str
    columns: Mapping[str, str]
    computed: Mapping[str, str] = field(default_factory=dict)
    filter: str | None = None
    survey: str | None = None
    numbers: tuple[str, ...] = ()
    encoding: str = "utf-8"
    joined: Mapping[str, str] = field(default_factory=dict)
    query: str | None = None


def starter_config(
    name: str,
    tables: Mapping[str, StarterTable],
    *,
    engagement: Mapping[str, object] = MappingProxyType({}),
    days: int | None = None,
    time_zone: str = "UTC",
) -> str:
    """Return a commented YAML text that :func:`churnkit.config.load_config` accepts.

    Parameters
    ----------
    name : str
        Name of the run, such as the stem of the data file; characters that a name may not hold
        become ``_``.
    tables : mapping of str to StarterTable
        By name. Each gets the features that are made from it; without ``orders``, churn is the end
        of a subscription.
    engagement : mapping of str to object
        Options of the features of events: what the events are called.
    days : int, optional
        Length of the history; a short one gets a horizon that leaves room to learn and to test.
    time_zone : str, default "UTC"
        The business time zone, an IANA name.

    Raises
    ------
    ConfigError
        If a source, a column or the time zone is not allowed; all faults at once.

    Examples
    --------
    >>> orders = StarterTable(
    ...     source="orders.csv", columns={"customer_id": "client", "ts": "bought at"}
    ... )
    >>> text = starter_config("shop", {"orders": orders})
    >>> print(text[text.index("  orders:") : text.index("      # order_id")])
      orders:
        source: orders.csv
        columns:             # our name: the name in your file
          customer_id: client
          ts: bought at
          # amount:          money of the row, negative for refunds; without it every row ...
    <BLANKLINE>
    """
    horizon = _horizon(days)
    text = TEMPLATE.format(
        name=dump_flow(
            re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9_.-]+", "_", name).lstrip("_") or "churn"
        ),
        tables="\n".join(_tables(tables)),
        horizon=horizon,
        every=min(horizon, EVERY_DAYS),
        window="null" if days is None or days > SHORT_DAYS else horizon,
        label="no_order" if "orders" in tables else "subscription_end",
        features="\n".join(_features(tables, engagement=engagement)),
        cart=dump_flow(engagement.get("cart", "cart_add")),
        purchase=dump_flow(engagement.get("purchase", "purchase")),
        time_zone=dump_flow(time_zone),
    )
    value, faults = parse_yaml(text)
    if faults or not isinstance(value, dict):
        msg = f"starter_config: columns must be a mapping of text to text; got {tables!r}"
        raise ConfigError(msg)
    Config.from_mapping(value, where="starter_config")
    return text


def _horizon(days: int | None) -> int:
    """Return the longest usual horizon that fits four times into a history."""
    if days is None:
        return HORIZONS_DAYS[0]
    return next((h for h in HORIZONS_DAYS if HORIZONS_IN_HISTORY * h <= days), HORIZONS_DAYS[-1])


def _tables(given: Mapping[str, StarterTable]) -> Iterator[str]:
    """Return the lines of every table: what is given, and what else there could be."""
    for table, about in ABOUT.items():
        if table == "events":
            yield "  # Other tables, each with source and columns as above; churnkit list config shows"
            yield "  # their columns. Metrics need no more than these; features are named below."
        if table not in given:
            yield f"  {f'{table}: null':<22} # {about}"
            continue
        one = given[table]
        yield f"  {f'{table}:':<22} # {about}" if table != "orders" else "  orders:"
        yield f"    source: {dump_flow(one.source)}"
        if one.encoding != "utf-8":
            yield f"    encoding: {one.encoding:<12} # of the text of the file"
        if one.query is not None:
            yield f"    joined: {dump_flow(dict(one.joined))}"
            yield f"    query: {dump_flow(one.query)}"
        if one.survey is not None:
            yield f"    kind: {one.survey:<16} # the survey of all rows"
        yield "    columns:             # our name: the name in your file"
        for ours, theirs in one.columns.items():
            yield f"      {dump_flow(ours)}: {dump_flow(theirs)}"
        for ours, column in TABLE_COLUMNS[table].model_fields.items():
            if ours not in one.columns and not column.is_required():
                yield f"      # {f'{ours}:':<16} {column.description}"
        if table == "orders" or one.computed:
            yield from _computed(one.computed)
        if table == "orders":
            kept = f"filter: {'null' if one.filter is None else dump_flow(one.filter)}"
            yield f"    {kept:<20} # SQL on your own columns, such as: country = 'France'"


def _computed(computed: Mapping[str, str]) -> Iterator[str]:
    about = "# new columns, SQL on your own"
    if not computed:
        yield f"    computed: {{}}         {about}: {{total: quantity * unit_price}}"
        return
    yield f"    computed:            {about}, for the mapping above"
    yield from (f"      {name}: {dump_flow(sql)}" for name, sql in computed.items())


def _features(
    given: Mapping[str, StarterTable], *, engagement: Mapping[str, object]
) -> Iterator[str]:
    """Return the lines of the builders that the tables allow."""
    if "orders" in given:
        yield from (f"  {name}: {options}" for name, options in _OF_ORDERS.items())
    for table, builder in _OF_OTHERS.items():
        if table not in given:
            continue
        options: dict[str, object] = {}
        if table == "events":
            options = dict(engagement)
        elif table == "subscriptions":
            extra = [c for c in _SUBSCRIPTION_OPTIONS if c in given[table].columns]
            options = {_SUBSCRIPTION_OPTIONS[c]: True for c in extra}
        yield f"  {builder}: {dump_flow(options)}"
    if "customers" in given:
        people = given["customers"]
        kept = {"customer_id", "since", *people.numbers}
        options = {
            "categories": [name for name in people.columns if name not in kept],
            "numbers": list(people.numbers),
        }
        yield "  # Those that were fixed when the customer came can be features:"
        yield f"  # attributes: {dump_flow(options)}"
