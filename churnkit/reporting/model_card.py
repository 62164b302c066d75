"""The card that goes with a model: what it was made from and for, how good it is, and its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from churnkit.evaluation.backtest import mean_metrics
from churnkit.evaluation.predictive import ece, ece_interval, reliability_table
from churnkit.reporting.fairness import group_rows, groups_of
from churnkit.reporting.history import plain_name
from churnkit.reporting.level import level_rows
from churnkit.reporting.meaning import label_in_words
from churnkit.reporting.numbers import SPACE, count, decimal, percent
from churnkit.reporting.quality import metric_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from churnkit.data.contracts import TableReport
    from churnkit.models.bundle import Bundle
    from churnkit.reporting.quality import TestOutcome

__all__ = ["CARD_FILE", "model_card"]

CARD_FILE = "MODEL_CARD.md"


def model_card(
    bundle: Bundle,
    *,
    tests: Sequence[TestOutcome],
    tables: Sequence[TableReport],
    high: float = 0.66,
) -> str:
    """Return the card of a model as Markdown.

    Parameters
    ----------
    bundle : Bundle
        The model with its metrics and provenance.
    tests : sequence of TestOutcome
        What the model said at the test cutoffs and what then happened.
    tables : sequence of TableReport
        What was read to train it.
    high : float, default 0.66
        Probability from which a customer is flagged as high risk.

    Returns
    -------
    str
        Markdown with a section each on use, data, label, metrics, calibration, level, fairness
        and limits.

    References
    ----------
    M. Mitchell et al. (2019), "Model Cards for Model Reporting", FAT* 2019, 220-229,
    doi:10.1145/3287560.3287596.
    """
    parts = [
        f"# Model card: {_plain(bundle.name)}, version {_plain(bundle.version)}",
        f"Trained {bundle.created_at} with churnkit {bundle.provenance['churnkit']}, LightGBM"
        f" {bundle.provenance['lightgbm']}, Python {bundle.provenance['python']}.",
        *_use(bundle),
        *_data(bundle, tables),
        *_target(bundle),
        *_metrics(bundle),
        *_calibration(tests),
        *_level(tests),
        *_fairness(tests, high=high),
        *_limits(bundle),
    ]
    return "\n\n".join(parts).replace(SPACE, " ") + "\n"


def _plain(value: object) -> str:
    """Return text that Markdown takes neither for a table's cell nor for markup."""
    text = " ".join(str(value).split())
    for mark in ("\\", "|", "`", "*", "<", "[", "#"):
        text = text.replace(mark, f"\\{mark}")
    return text


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    lines += [f"| {' | '.join(_plain(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _use(bundle: Bundle) -> list[str]:
    days = bundle.snapshot["horizon_days"]
    return [
        "## Intended use",
        f"Ranks the customers of one business by their chance of leaving in the {days} days after a"
        " date, and estimates what each will spend in them, so that people can decide whom to keep in"
        " touch with and how much that may cost. It is scored in batches, on data of the same source"
        " and meaning as those it was trained on.",
        "Not for decisions about a person's rights, credit, insurance, work or prices; not for other"
        " businesses; not as evidence that an action causes a customer to stay.",
    ]


def _data(bundle: Bundle, tables: Sequence[TableReport]) -> list[str]:
    provenance = bundle.provenance
    cutoffs = provenance["train_cutoffs"]
    rows = [
        (
            report.table,
            report.source,
            f"{(report.first_at or '–')[:10]} to {(report.last_at or '–')[:10]}",
            count(report.rows_read),
            count(report.rows_used),
            count(report.rows_set_aside),
            count(report.customers),
            report.fingerprint,
        )
        for report in tables
    ]
    columns = ("table", "source", "period", "read", "used", "set aside", "customers", "fingerprint")
    return [
        "## Data",
        _table(columns, rows),
        f"Trained on {provenance['train_rows']:,} rows: a customer at each of {len(cutoffs)} cutoffs"
        f" from {cutoffs[0]} to {cutoffs[-1]}, described by {len(bundle.feature_names)} features of"
        f" {', '.join(bundle.features)}. Business time zone {bundle.data['time_zone']}; refunds:"
        f" {bundle.data['refunds']}. Configuration hash {provenance['config_hash']}."
        f"{_of_everybody(bundle)}",
    ]


def _of_everybody(bundle: Bundle) -> str:
    """Return what the learners have seen beyond the rows of the run's own process."""
    said = bundle.notes.get("trained_on_everybody")
    if not said:
        return ""
    tasks = f"{said['tasks']} task{'s' if said['tasks'] > 1 else ''}"
    return (
        f" The trees were then grown on {said['rows']:,} rows of everybody at these cutoffs, in"
        f" {tasks} of Spark at once; weights, calibration, intervals and level are"
        " those of the rows above."
    )


def _target(bundle: Bundle) -> list[str]:
    snapshot, population = bundle.snapshot, bundle.population
    gap = f" after a gap of {snapshot['gap_days']} days" if snapshot["gap_days"] else ""
    subscribers = bundle.label["kind"] == "subscription_end"
    who = (
        "customers with a paid subscription running at the cutoff"
        if subscribers
        else (
            f"customers with at least {population['min_orders']} order(s) in the"
            f" {snapshot['observation_days']} days before the cutoff, the last of them at most"
            f" {population['active_within_days']} days before it"
        )
    )
    money = (
        "revenue of paid subscriptions, in the horizon, in the currency of the data"
        if subscribers
        else "net of refunds, in the horizon, in the currency of the data"
    )
    return [
        "## Population and label",
        f"- Population: {who}.\n"
        f"- Churned: {label_in_words(bundle.label)}.\n"
        f"- Horizon: {snapshot['horizon_days']} days{gap}.\n"
        f"- Spend: {money}.",
    ]


def _metrics(bundle: Bundle) -> list[str]:
    snapshots = bundle.metrics["snapshots"]
    if not snapshots:
        return ["## Metrics", "The model was not tested."]
    names = list(dict.fromkeys(name for s in snapshots for name in s["models"]))
    means = {name: mean_metrics([s["models"].get(name, {}) for s in snapshots]) for name in names}
    found: dict[str, Any] = metric_table(means)
    rows = [
        (row["name"], row["direction"], *(cell["text"] for cell in row["cells"]))
        for row in found["rows"]
    ]
    tested = ", ".join(f"{s['cutoff']} ({s['customers']:,} customers)" for s in snapshots)
    return [
        "## Metrics beside the baselines",
        f"On customers at cutoffs later than every label of the training: {tested}."
        + (" Means over the cutoffs." if len(snapshots) > 1 else ""),
        _table(("metric", "", *found["models"]), rows),
        *(f"**{said[:1].upper()}{said[1:]}.**" for said in bundle.notes.get("no_skill", ())),
    ]


def _calibration(tests: Sequence[TestOutcome]) -> list[str]:
    if not tests:
        return []
    newest = tests[-1]
    table = reliability_table(newest.churned, newest.churn_probability)
    error = ece(newest.churned, newest.churn_probability)
    low, high = ece_interval(newest.churned, newest.churn_probability)
    columns = ("mean_probability", "churn_rate", "churn_rate_low", "churn_rate_high")
    rows = [
        [percent(float(value), 1) for value in row]
        for row in zip(*(table[name] for name in columns), strict=True)
    ]
    return [
        "## Calibration",
        f"Tenths of the customers at {newest.cutoff}, by their predicted chance of leaving."
        f" Calibration error {percent(error, 1)} (95 % from {percent(low, 1)} to {percent(high, 1)}).",
        _table(("said", "left", "95 % from", "to"), rows),
    ]


def _level(tests: Sequence[TestOutcome]) -> list[str]:
    if not tests:
        return []
    rows = [
        (row["cutoff"], row["what"], row["predicted"], row["actual"], row["off"])
        for row in level_rows(tests)
    ]
    return [
        "## Level of the totals",
        "More than 10 % off is a reason not to budget with the totals.",
        _table(("cutoff", "total", "predicted", "actual", "off by"), rows),
    ]


def _limits(bundle: Bundle) -> list[str]:
    years = bundle.snapshot["observation_days"] / 365
    season = (
        "Training cutoffs cover less than a year, so that seasons are not known to it."
        if len({str(c)[5:7] for c in bundle.provenance["train_cutoffs"]}) < 12
        else "A change of season that the training years did not have is not known to it."
    )
    return [
        "## Limits",
        f"- It sees at most {years:.1f} years of each customer's history, and nothing outside the"
        " tables above.\n"
        f"- {season}\n"
        "- Its reasons say what goes with leaving, not what causes it.\n"
        "- Customers outside the population are not scored.\n"
        "- It ages: train again when the drift of the scores (PSI) passes 0.25 or a level above"
        " passes 10 %.",
    ]


def _fairness(tests: Sequence[TestOutcome], *, high: float) -> list[str]:
    """Return how the newest test treats the groups of each attribute that makes groups."""
    title = "## Fairness between groups"
    attributes = tests[-1].attributes if tests else {}
    if not attributes:
        return [title, "Not measured: training read no attributes of customers (`data.customers`)."]
    newest = tests[-1]
    parts, without = [], []
    for name, values in attributes.items():
        groups = groups_of(values)
        if groups is None:
            without.append(_plain(name))
            continue
        rows = [
            (
                row.group,
                count(row.customers),
                percent(row.left, 1),
                percent(row.said, 1),
                decimal(row.auc, 3),
                percent(row.found),
                percent(row.false_alarms),
            )
            for row in group_rows(newest, groups, high=high)
        ]
        columns = ("group", "customers", "left", "said", "AUC", "found", "false alarms")
        parts += [f"### {_plain(plain_name(name))}", _table(columns, rows)]
    if without:
        parts.append(f"Without groups (one value, or nearly all differ): {', '.join(without)}.")
    return [
        title,
        f"By every attribute of `data.customers`, at {newest.cutoff}. *Found*: flagged as high risk"
        f" (from {percent(high)} on) among those who left; *false alarms*: flagged among those who"
        " stayed. Rates over fewer than fifty customers are not given. Where *said* differs from"
        " *left* by more in one group than in another, that group is judged by a wrong level; small"
        " groups differ by chance.",
        *parts,
    ]
