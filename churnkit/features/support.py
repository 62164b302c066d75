"""How a customer fares with support: contacts, waiting, open tickets, escalations, returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.windows import US_PER_DAY
from churnkit.features.build import (
    FEATURE_BUILDERS,
    Aggregation,
    Known,
    Phrase,
    ratio,
    sum_if,
    unknown,
)
from churnkit.features.counts import counted
from churnkit.features.options import checked_days, checked_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Support"]

US_PER_HOUR = 3_600_000_000
REOPENED_WITHIN_DAYS = 7
NEVER = 2**62
PHRASES = {
    "days_since_ticket": Phrase(
        text="last contact with support {value} days ago",
        name="days since the last contact with support",
        zero="contact with support within the last day",
    ),
    "tickets_per_order": Phrase(text="{value} contacts with support per order", decimals=2),
    "open_tickets": Phrase(
        text="{value} tickets not resolved yet", zero="no ticket waiting", risk="high"
    ),
    "open_ticket_days_max": Phrase(
        text="waiting {value} days for a ticket to be resolved",
        name="days waiting for a ticket to be resolved",
        zero="waiting for a ticket since the last day",
        risk="high",
    ),
    "unanswered_tickets": Phrase(
        text="{value} tickets not answered yet", zero="no ticket unanswered", risk="high"
    ),
    "first_response_hours_mean": Phrase(
        text="{value} hours to the first answer of support on average", risk="high", decimals=1
    ),
    "first_response_hours_max": Phrase(
        text="up to {value} hours to the first answer of support",
        name="longest hours to the first answer of support",
        risk="high",
        decimals=1,
    ),
    "resolution_hours_mean": Phrase(
        text="{value} hours until support resolved a ticket on average", risk="high", decimals=1
    ),
    "resolution_hours_max": Phrase(
        text="up to {value} hours until support resolved a ticket",
        name="longest hours until support resolved a ticket",
        risk="high",
        decimals=1,
    ),
    "tickets_escalated": Phrase(text="{value} tickets escalated", risk="high"),
    "tickets_reopened": Phrase(
        text="back at support {value} times within a week",
        name="times back at support within a week",
        zero="never back at support within a week",
        risk="high",
    ),
}


@FEATURE_BUILDERS.register("support")
@dataclass(frozen=True, kw_only=True)
class Support:
    """Contacts with support and how they went, from the table ``support_tickets``.

    A ticket counts from its opening. It is *open* while it has no ``resolved_at`` before the cutoff,
    *unanswered* while it has neither answer nor resolution. One opened within seven days of the
    resolution of the customer's ticket before it counts in ``tickets_reopened``: the trouble was
    not over. ``tickets_escalated`` counts the priorities in ``escalated``.

    Parameters
    ----------
    windows_days : sequence of int, default (30, 90)
        Trailing windows of the counts, in business days.
    escalated : sequence of str, default ("high", "urgent")
        Priorities that count as escalated, as the source writes them.

    Raises
    ------
    ParameterError
        If a window is not a whole number of days >= 1, or an option is repeated.

    Notes
    -----
    Counts of customers without a ticket are 0, their times null. Null for everybody: what needs a
    column that the source lacks, contacts per order where there are no orders, and windows that
    begin before the first ticket of the whole history or before the observation interval. A ticket
    opened before the observation interval is left out, open or not.

    Examples
    --------
    >>> Support(windows_days=[30]).feature_names[:2]
    ('tickets_30d', 'days_since_ticket')
    """

    windows_days: Sequence[int] = (30, 90)
    escalated: Sequence[str] = ("high", "urgent")

    def __post_init__(self) -> None:
        days = checked_days(self.windows_days, where="support: windows_days")
        object.__setattr__(self, "windows_days", days)
        names = checked_names(self.escalated, where="support: escalated")
        object.__setattr__(self, "escalated", names)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` needs."""
        return ("support_tickets",)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features in order: counts, then waiting, then trouble."""
        return tuple(self.phrases)

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people."""
        windows = {
            f"tickets_{d}d": Phrase(text=f"{{value}} contacts with support in the last {d} days")
            for d in self.windows_days
        }
        return windows | PHRASES

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        given = set(known["support_tickets"].collect_schema().names())
        rows = _with_previous(known["support_tickets"], given=given)
        answered, resolved = "first_response_at_us" in given, "resolved_at_us" in given
        opened, age = nw.col("opened_at_us"), nw.col("age_days")
        aggregates = {"_support_all": nw.col("age_days").count().cast(nw.Float64)}
        aggregates["days_since_ticket"] = age.min()
        features = unknown("tickets_per_order")
        if "orders" in known.tables:
            features["tickets_per_order"] = ratio(counted("_support_all"), nw.col("orders"))
        for d in self.windows_days:
            if known.reaches_back(d, table="support_tickets"):
                aggregates[f"_support_{d}d"] = sum_if(opened >= known.days_ago_us(d))
                features[f"tickets_{d}d"] = counted(f"_support_{d}d")
            else:
                features |= unknown(f"tickets_{d}d")
        still_open = nw.col("resolved_at_us").is_null() if resolved else None
        silent = nw.col("first_response_at_us").is_null() if answered else None
        unanswered = silent if still_open is None or silent is None else silent & still_open
        conditions = {
            "open_tickets": still_open,
            "unanswered_tickets": unanswered,
            "tickets_escalated": nw.col("priority").is_in(list(self.escalated))
            if "priority" in given
            else None,
            "tickets_reopened": _soon_after_resolution() if resolved else None,
        }
        for name, condition in conditions.items():
            if condition is None:
                features |= unknown(name)
            else:
                aggregates[f"_support_{name}"] = sum_if(condition)
                features[name] = counted(f"_support_{name}")
        if still_open is None:
            features |= unknown("open_ticket_days_max")
        else:
            aggregates["open_ticket_days_max"] = nw.when(still_open).then(age).max()
        for name, column in (("first_response", answered), ("resolution", resolved)):
            later = "first_response_at_us" if name == "first_response" else "resolved_at_us"
            made = (f"{name}_hours_mean", f"{name}_hours_max")
            if column:
                hours = (nw.col(later) - opened) / US_PER_HOUR
                aggregates |= dict(zip(made, (hours.mean(), hours.max()), strict=True))
            else:
                features |= unknown(*made)
        return [Aggregation(rows=rows, aggregates=aggregates, features=features)]


def _with_previous(tickets: nw.LazyFrame[Any], *, given: set[str]) -> nw.LazyFrame[Any]:
    """Add when the customer's ticket before each one was resolved."""
    if "resolved_at_us" not in given:
        return tickets
    # Tickets opened at the same instant are told apart by their resolution, open ones last.
    ended = nw.col("resolved_at_us").fill_null(NEVER)
    previous = nw.col("ended").shift(1).over("customer_id", order_by=("opened_at_us", "ended"))
    return tickets.with_columns(ended=ended).with_columns(previous_us=previous)


def _soon_after_resolution() -> nw.Expr:
    since = nw.col("opened_at_us") - nw.col("previous_us")
    return (since >= 0) & (since <= REOPENED_WITHIN_DAYS * US_PER_DAY)
