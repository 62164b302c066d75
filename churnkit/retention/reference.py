"""The reference page of every retention metric, built from the formulas themselves."""

from __future__ import annotations

from churnkit.formulas import FORMULAS, SMALL_N, formula_info

__all__ = ["METRIC_SOURCES", "metrics_reference"]

REPORT = "`churnkit metrics`"

METRIC_SOURCES = {
    "active_users": ("events", REPORT),
    "average_order_value": ("orders", REPORT),
    "budget_mix": ("marketing_costs", "`--view budget`"),
    "cac_payback_months": ("marketing_costs, orders, gross margin", REPORT),
    "cart_abandonment_rate": ("events", REPORT),
    "ces": ("surveys", REPORT),
    "cohort_retention": ("orders", "`--view cohorts`"),
    "contact_rate": ("support_tickets, orders or subscriptions", REPORT),
    "csat": ("surveys", REPORT),
    "customer_acquisition_cost": ("marketing_costs, orders or subscriptions", REPORT),
    "customer_churn_rate": ("orders; subscriptions", REPORT),
    "customer_lifetime_value": ("orders", REPORT),
    "customer_lifetime_value_margin": ("orders, gross margin", REPORT),
    "customer_retention_rate": ("orders; subscriptions", REPORT),
    "customer_retention_rate_strict": ("orders; subscriptions", REPORT),
    "discounted_lifetime_value": ("orders, gross margin", REPORT),
    "first_response_hours": ("support_tickets with first_response_at", REPORT),
    "funnel_conversion": ("events", "`--view funnel`"),
    "funnel_drop_off": ("events", "`--view funnel`"),
    "gross_revenue_retention": ("subscriptions with mrr", REPORT),
    "ltv_to_cac": ("marketing_costs, orders", REPORT),
    "net_revenue_retention": ("subscriptions with mrr", REPORT),
    "nps": ("surveys", REPORT),
    "pareto_share": ("orders", "`churnkit metrics`, `--view concentration`"),
    "power_user_share": ("events", "`churnkit metrics`, `--view power_users`"),
    "purchase_frequency": ("orders", REPORT),
    "redemption_rate": ("rewards with redeemed_at", REPORT),
    "repeat_purchase_rate": ("orders", REPORT),
    "repurchase_probability": ("orders", "`--view ladder`"),
    "resolution_hours": ("support_tickets with resolved_at", REPORT),
    "resolution_rate": ("support_tickets with resolved_at", REPORT),
    "retention_lift": ("orders, gross margin", "`churnkit metrics`, `--view lift`"),
    "revenue_churn_rate": ("subscriptions with mrr", REPORT),
    "stickiness": ("events", REPORT),
    "support_contacts": ("support_tickets", REPORT),
    "top_decile_spend_ratio": ("orders", "`churnkit metrics`, `--view concentration`"),
}
"""Tables that each metric needs, and where it is computed. Of two tables with a semicolon each gives it."""

RULES = f"""\
# Retention metrics

Every metric is a row `metric, value, unit, numerator, denominator, n, ci_low, ci_high, status`, so that
a reader can recompute it: the value is the numerator over the denominator, times 100 for percentages.
With it come the variant, the reason where there is no value, the tables it rests on, the period and the
segment.

## What holds for all

- A **period** is half-open, `[start, end)`, in business days of the configured time zone. What holds at a
  boundary is what held just before its first instant: what happens at midnight of the first day belongs
  to the period that begins.
- A customer is **active** at a boundary with an order in the window of business days before it, or with a
  subscription that began before it and has not ended before it. **New** is whose first order or
  subscription ever falls in the period; **reactivated** is who is active at the end, was not at the
  start, and is not new. Every run checks that end = start − lost + new + reactivated.
- An **order** is one order id, or one customer's day without ids, on the first day on which its net is
  positive. A refund takes its money back on the day that it happens and does not unmake the order.
- **Lifetime values**, and the margin of a customer in `cac_payback_months`, take their purchases per
  customer and year from the 365 days that end with the period, or from the period if it is longer: those
  of a month times twelve would be far too many. The observed lifespan is the mean of last − first order
  of all customers so far.
- By **segment**, every segment has a row of every metric; where a table has no row of a segment, counts
  are 0 and rates null with the reason.
- What **follows a cart, a ticket or a reward** counts until the end of the report, whichever the period:
  abandonment, hours, resolution and redemption of the newest periods change as the report grows.
- A **denominator of zero** gives a null value, the status `zero_denominator` and the reason, never 0; one
  below zero gives `negative_base`. A value of fewer than {SMALL_N} customers, answers or orders is given with
  the status `small_n`.
- A **table that is not given**, or lacks a column, makes its metrics absent with the reason, never zero.
- **Intervals** are Wilson's for shares, from the multinomial variance for NPS, exact Poisson for rates of
  events, and a seeded percentile bootstrap over customers for money.

## All metrics

| metric | formula | unit | tables | computed by |
|---|---|---|---|---|
"""


def metrics_reference() -> str:
    """Return the page as Markdown.

    Examples
    --------
    >>> metrics_reference().splitlines()[0]
    '# Retention metrics'
    """
    parts = [RULES]
    for name in FORMULAS.names():
        info = formula_info(name)
        tables, where = METRIC_SOURCES[name]
        parts.append(
            f"| [`{name}`](#{name}) | {_cell(info.formula)} | {info.unit} | {tables} | {where} |\n"
        )
    return "".join(parts) + "".join(_section(name) for name in FORMULAS.names())


def _section(name: str) -> str:
    """Return the section of one formula: meaning, variants, when it has no value, source, example."""
    info = formula_info(name)
    lines = [f"\n## {name}\n", f"{info.summary}\n", f"    {info.formula}\n"]
    if info.variants:
        lines.append("Variants, the default first:\n")
        lines += [f"- `{variant}`: {meaning}" for variant, meaning in info.variants.items()]
        lines.append("")
    reasons = dict.fromkeys(FORMULAS[name](**case).reason for case in info.zero_cases)
    if reasons:
        lines.append(f"No value: {'; '.join(reasons)}.\n")
    if info.notes:
        lines.append(f"{info.notes}\n")
    if info.source:
        lines.append(f"Source: {info.source}\n")
    if info.example:
        lines.append(f"```python\n{info.example}\n```")
    return "\n".join(lines).rstrip() + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
