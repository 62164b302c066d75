"""Writes a commented configuration for data files, ready to run and to edit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from churnkit.config.columns import TABLE_COLUMNS
from churnkit.config.schema import Config
from churnkit.config.yaml_text import dump_flow, parse_yaml
from churnkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["StarterTable", "starter_config"]

HORIZONS_DAYS = (90, 60, 30, 14, 7)
HORIZONS_IN_HISTORY = 4  # one before the first cutoff, one to learn, one to test, one to spare
EVERY_DAYS = 30
SHORT_DAYS = 2 * 365  # below, orders that count for a year leave nobody who can have left

_TEMPLATE = """\
# A churnkit configuration: every key, with its default. Start with: churnkit validate <this file>
# Paths are relative to the directory you work in.

name: {name}  # of the run, of its experiment and of its model
seed: 7

engine:
  kind: duckdb           # runs in this process
  threads: null          # null: one per core
  memory_limit: null     # such as 4GB; past it, work spills to temp_directory
  temp_directory: null

data:
  time_zone: {time_zone}  # naive times are in this zone, and days begin at its midnight
  on_invalid: quarantine # rows that break the contract: quarantine (set aside, go on) or raise
  refunds: net           # rows with a negative amount: net (subtract), drop or raise
  duplicates: keep       # rows equal in every column: keep or drop
{tables}

snapshots:
  horizon_days: {horizon:<8} # churned: no order in so many days
  gap_days: 0            # days between the cutoff and the horizon, time for a campaign to start
  observation_days: 730  # history that features may see
  every_days: {every:<10} # from one training cutoff to the next
  count: 12              # training snapshots wanted; fewer if the history is short
  test: 1                # newest snapshots, kept out of training to test on
  last: null             # newest cutoff; null: the last whose horizon lies inside the data
  customers_share: 1.0   # below 1: learn from so many of the customers, drawn by id

population:              # the customers who are scored
  active_within_days: 365
  min_orders: 1

label: {{kind: {label}}}

features:                # see: churnkit list features
{features}

churn:
  model: lightgbm
  params: {{}}             # passed on to the model, such as: {{num_leaves: 31}}
  calibration: auto      # kept only if it lowers log loss on a later snapshot
  level: auto            # the purchase model, corrected by what it missed, sets the mean

lifetime_value:
  model: lightgbm
  objective: auto        # auto, tweedie, hurdle_gamma or hurdle_lognormal
  params: {{}}
  interval: 0.8          # share of customers whose spend should lie between low and high
  gross_margin: 1.0      # margin per unit of spend: 0.4 is 40 %
  yearly_discount_rate: 0.0
  horizon_days: null     # lifetime value over so many days; null: over the labels' horizon
  level: auto            # the purchase model, corrected by what it missed, sets the total

search:
  trials: 0              # parameters to try for each model; needs pip install 'churnkit-ml[search]'
  folds: 3               # judged on the newest training snapshots, forward in time

tracking:                # MLflow
  uri: null              # null: MLFLOW_TRACKING_URI if set, else the store in models/
  experiment: null       # null: the name above
  registered_model: null # null: the name above

scoring:
  as_of: null            # first instant that is not known; null: the day after the last in the data
  risk_bands: {{medium: 0.33, high: 0.66}}
  reasons: 3             # per customer, in words
  numbers: en            # 1,234.5 in reasons; de 1.234,5; fr 1 234,5; ch 1’234.5; plain 1234.5
  currency: ""           # before or after amounts in reasons, such as £ or EUR
  output: out/{{name}}/scores.parquet

retention:               # the definitions behind the metrics: churnkit metrics <this file>
  activity_window_days: {window} # an order keeps its customer active so long; null: active_within_days
  churn: start_of_period # or including_joiners, mean_of_daily
  repeat: in_period      # or ever
  net_revenue: closed    # or with_reactivations
  lifespan: observed     # in lifetime value: last - first order, or churn: 1 / yearly churn
  discounted: first_margin_excluded # or first_margin_counted
  yearly_discount_rate: null # null: lifetime_value.yearly_discount_rate
  lift_points: 5.0         # what so many points more retention would be worth
  csat_options: 5        # scales of the surveys
  csat_positive_from: null # lowest positive score; null: the top two options
  ces_options: 7
  ces: share_of_scale    # or mean, top_two_box
  user_events: null      # event types that make a user active; null: all
  cart_event: {cart}   # event types of a filled cart and of a purchase
  purchase_event: {purchase}
  cart_window_hours: 24.0
  funnel_steps: null       # event types in order; null: cart_event, then purchase_event
  funnel_window_hours: 24.0 # for all steps together
  funnel_by: customer      # or session
  ladder_steps: 10         # orders up to which the repurchase ladder goes
  ladder_days: null        # count the next order only in so many days; null: whenever it was
  segments: null         # null: the eleven RFM segments of practice; or your own rules
  level: 0.95            # of confidence intervals
  output: out/{{name}}/metrics.parquet

report: {{output: "out/{{name}}/report.html"}}
"""


_ABOUT = {
    "orders": "one row per order or order line",
    "events": "visits, opens, clicks",
    "subscriptions": "contracts with start, end and monthly revenue",
    "support_tickets": "questions and complaints",
    "surveys": "answers to CSAT, NPS and CES surveys",
    "rewards": "loyalty rewards, issued and redeemed",
    "customers": "attributes of customers",
    "marketing_costs": "money spent to win and keep customers",
    "campaigns": "campaigns with a control group",
}
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
    encoding : {"utf-8", "latin-1"}
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
          # amount:          money of the row, negative for refunds; without it every order ...
    """
    horizon = _horizon(days)
    text = _TEMPLATE.format(
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
    for table, about in _ABOUT.items():
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
