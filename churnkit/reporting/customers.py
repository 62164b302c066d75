"""The customers most worth saving: rows of a table, and the data behind each one's own view."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from churnkit.reporting.history import plain_name
from churnkit.reporting.numbers import amount, chance, count, day, decimal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MOST_CUSTOMERS", "CustomerView", "customer_data", "customer_rows"]

MOST_CUSTOMERS = 500
MOST_REASONS = 8
MOST_ORDERS = 200
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class CustomerView:
    """Everything the page shows of one customer.

    Attributes
    ----------
    scores : mapping
        The customer's row of the score table.
    reasons : sequence of (str, float)
        Feature and value in words, and contribution to the log-odds of churning, the strongest first.
    past : sequence of (str, float or None)
        ISO dates and the churn probability at each, None where not in the population.
    orders : sequence of (str, float)
        ISO dates and amounts, oldest first.
    happenings : sequence of (str, sequence of str)
        What else the customer did, in words, and the ISO days on which.
    base : float
        Log-odds of the average customer: with all contributions, the model's raw score.
    """

    scores: Mapping[str, Any]
    reasons: Sequence[tuple[str, float]] = ()
    past: Sequence[tuple[str, float | None]] = field(default=())
    orders: Sequence[tuple[str, float]] = ()
    happenings: Sequence[tuple[str, Sequence[str]]] = ()
    base: float = 0.0


def customer_rows(customers: Sequence[CustomerView]) -> list[dict[str, Any]]:
    """Return the cells of the table, each as shown and as it sorts."""
    rows = []
    for position, customer in enumerate(customers):
        s = customer.scores
        raising = [words for words, weight in customer.reasons if weight > 0]
        # The score table leaves out what is true of everybody; without it, all that raises counts.
        reason = s["reason_1"] if "reason_1" in s else next(iter(raising), None)
        rows.append(
            {
                "position": position,
                "id": s["customer_id"],
                "band": s["risk_band"],
                "segment": plain_name(s["rfm_segment"] or "none"),
                "probability": s["churn_probability"],
                "spend": s["expected_spend"],
                "at_risk": s["value_at_risk"],
                "earned": s["historical_ltv"],
                "idle": s["days_since_last_order"],
                "orders": s["orders"],
                "reason": reason or "nothing raises the risk above the average",
                "shown": {
                    "probability": chance(s["churn_probability"]),
                    "spend": amount(s["expected_spend"]),
                    "at_risk": amount(s["value_at_risk"]),
                    "earned": amount(s["historical_ltv"]),
                    "idle": count(s["days_since_last_order"]),
                    "orders": count(s["orders"]),
                },
            }
        )
    return rows


def customer_data(customers: Sequence[CustomerView]) -> str:
    """Return what a customer's view needs as JSON that no HTML parser can mistake for markup.

    Examples
    --------
    >>> customer_data([])
    '[]'
    """
    plain = [_plain(customer) for customer in customers]
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(mark, code)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _of_mrr(scores: Mapping[str, Any]) -> list[list[str]]:
    """Return what a subscriber pays and may stop paying; nothing for customers of orders alone."""
    if scores.get("mrr_at_risk") is None:
        return []
    return [
        ["Monthly revenue", amount(scores.get("mrr"))],
        ["Monthly revenue at risk", amount(scores["mrr_at_risk"])],
        ["Monthly revenue expected to stay", amount(scores["expected_mrr_retained"])],
    ]


def _plain(customer: CustomerView) -> dict[str, Any]:
    s = customer.scores
    interval = ""
    if s.get("expected_spend_low") is not None:
        interval = f"{amount(s['expected_spend_low'])} to {amount(s['expected_spend_high'])}"
    rest = sum(weight for _, weight in customer.reasons[MOST_REASONS:])
    return {
        "id": s["customer_id"],
        "band": s["risk_band"],
        "p": round(s["churn_probability"], 4),
        "facts": [
            ["Chance of leaving", chance(s["churn_probability"], 1)],
            ["Expected spend", amount(s["expected_spend"])],
            ["Likely between", interval or "–"],
            ["Value at risk", amount(s["value_at_risk"])],
            *_of_mrr(s),
            ["Expected next order", day(s["expected_next_order_at"])],
            ["Rank by risk", count(s["risk_rank"])],
        ],
        "formulas": [
            ["Segment", plain_name(s["rfm_segment"] or "none")],
            ["RFM scores", f"{s['r_score']} · {s['f_score']} · {s['m_score']}"],
            ["Orders so far", count(s["orders"])],
            ["Average order value", amount(s["average_order_value"])],
            ["Orders a year", decimal(s["purchase_frequency_per_year"], 1)],
            ["Days between orders", decimal(s["mean_days_between_orders"], 0)],
            ["Days since the last order", decimal(s["days_since_last_order"], 0)],
            ["Customer for (days)", decimal(s["tenure_days"], 0)],
            ["Earned so far", amount(s["historical_ltv"])],
            ["Lifetime value by formula", amount(s["formula_ltv"])],
            ["Still a customer (purchase model)", chance(s["p_alive"], 1)],
        ],
        "reasons": [[words, round(w, 3)] for words, w in customer.reasons[:MOST_REASONS]],
        "others": [max(0, len(customer.reasons) - MOST_REASONS), round(rest, 3)],
        "past": [[when, None if p is None else round(p, 3)] for when, p in customer.past],
        "orders": [[when, round(paid, 2)] for when, paid in customer.orders[-MOST_ORDERS:]],
        "did": [[words, [_number(d) for d in days]] for words, days in customer.happenings],
        "base": round(customer.base, 3),
        "end": round(_log_odds(s["churn_probability"]), 3),
    }


def _number(day_text: str) -> int:
    """Return a day counted from 1970: a third of the letters of its date."""
    return (date.fromisoformat(day_text) - EPOCH).days


def _log_odds(probability: float) -> float:
    """Return the log-odds of a probability, within what a chart can show."""
    inside = min(max(probability, 1e-4), 1.0 - 1e-4)
    return math.log(inside / (1.0 - inside))
