"""When a customer last bought, how often, for how much, and whether that is rising or falling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw

from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ParameterError
from churnkit.features.build import (
    FEATURE_BUILDERS,
    IS_ORDER,
    Aggregation,
    AtOrderDay,
    Count,
    Known,
    Phrase,
    ratio,
    sum_if,
    unknown,
)
from churnkit.features.decay import decay_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["RecencyFrequencyMonetary"]

COMPARED = ("orders_change", "amount_change", "orders_recent_share")
LIFETIME = {
    "days_since_last_order": Phrase(
        text="no order for {value} days",
        name="days since the last order",
        zero="ordered within the last day",
        risk="high",
        beside=("order_gap_days_mean", "usually one every {value} days"),
    ),
    "tenure_days": Phrase(
        text="first order {value} days ago",
        zero="first order within the last day",
        name="days since the first order",
    ),
    "recency_days": Phrase(
        text="{value} days from the first to the last order", zero="all orders on one day"
    ),
    "orders": Phrase(text="{value} orders so far", risk="low"),
    "repeat_orders": Phrase(
        text="came back to order on {value} later days",
        name="later days with an order",
        zero="never came back to order",
        risk="low",
    ),
    "amount_sum": Phrase(
        text="{value} spent so far",
        zero="nothing spent so far",
        negative="{value} more paid back than spent so far",
        name="spend so far",
        risk="low",
        decimals=2,
        money=True,
    ),
    "average_order_value": Phrase(
        text="{value} spent per order", name="spend per order", decimals=2, money=True
    ),
    "first_order_amount": Phrase(
        text="the first order was worth {value}",
        name="worth of the first order",
        decimals=2,
        money=True,
    ),
    "last_order_amount": Phrase(
        text="the last order was worth {value}",
        name="worth of the last order",
        decimals=2,
        money=True,
    ),
    "order_amount_max": Phrase(
        text="the largest order was worth {value}",
        name="worth of the largest order",
        decimals=2,
        money=True,
    ),
}


@FEATURE_BUILDERS.register("rfm")
@dataclass(frozen=True, kw_only=True)
class RecencyFrequencyMonetary:
    """Recency, frequency and monetary value of each customer at a cutoff.

    Recency is counted back from the cutoff in ``days_since_last_order``, the meaning used in
    segmentation, and forward from the first order in ``recency_days``, the meaning used by
    purchase-count models [1]_. Order counts leave out orders refunded in full before the cutoff;
    order *days*, and with them first and last order and ``repeat_orders`` (order days after the
    first), are the days on which the customer bought, refunded later or not. Money is net.

    Parameters
    ----------
    windows_days : sequence of int, default (30, 90, 180, 365)
        Lengths of the trailing windows in business days. A window of ``d`` days covers
        ``[cutoff - d, cutoff)``; its change is against ``[cutoff - 2d, cutoff - d)``.
    half_lives_days : sequence of int, default (30, 180)
        Half-lives of the decayed sums: an order ``h`` days ago counts one half.

    Raises
    ------
    ParameterError
        If there is no window, or a length is not a whole number of days >= 1 or repeated.

    Notes
    -----
    Null: everything about orders for customers who have only returns in the observation interval;
    ``average_order_value`` where all orders were refunded; windows longer than the observation
    interval; changes and recent shares where the earlier window begins before the first row of
    orders of the whole history; a recent share where both windows are empty.

    References
    ----------
    .. [1] P. S. Fader, B. G. S. Hardie, K. L. Lee (2005), "RFM and CLV: Using Iso-Value Curves
       for Customer Base Analysis", Journal of Marketing Research 42(4), 415-430,
       doi:10.1509/jmkr.2005.42.4.415.

    Examples
    --------
    >>> RecencyFrequencyMonetary(windows_days=[30], half_lives_days=[]).feature_names[10:]
    ('orders_30d', 'amount_sum_30d', 'order_days_30d', 'orders_change_30d', 'amount_change_30d',
     'orders_recent_share_30d')
    """

    windows_days: Sequence[int] = (30, 90, 180, 365)
    half_lives_days: Sequence[int] = (30, 180)

    def __post_init__(self) -> None:
        for name in ("windows_days", "half_lives_days"):
            given = getattr(self, name)
            whole = all(isinstance(d, int) and not isinstance(d, bool) and d >= 1 for d in given)
            if not whole or len(set(given)) < len(given):
                msg = f"rfm: {name} must hold distinct whole numbers of days >= 1; got {given!r}"
                raise ParameterError(msg)
            object.__setattr__(self, name, tuple(given))
        if not self.windows_days:
            msg = "rfm: windows_days must hold at least one length; got ()"
            raise ParameterError(msg)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` needs."""
        return ("orders",)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features in order: the whole observation, then each window, then each half-life."""
        return tuple(self.phrases)

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people."""
        said = dict(LIFETIME)
        for d in self.windows_days:
            last, before = f"in the last {d} days", f"the {d} days before"
            said |= {
                f"orders_{d}d": Phrase(text=f"{{value}} orders {last}", risk="low"),
                f"amount_sum_{d}d": Phrase(
                    text=f"{{value}} spent {last}",
                    zero=f"nothing spent {last}",
                    negative=f"{{value}} more paid back than spent {last}",
                    name=f"spend {last}",
                    risk="low",
                    decimals=2,
                    money=True,
                ),
                f"order_days_{d}d": Phrase(
                    text=f"ordered on {{value}} days {last}",
                    zero=f"did not order {last}",
                    name=f"days with an order {last}",
                    risk="low",
                ),
                f"orders_change_{d}d": Phrase(
                    text=f"{{value}} orders {last} than in {before}",
                    zero=f"as many orders {last} as in {before}",
                    name=f"change of orders {last}, against {before}",
                    risk="low",
                    change=("more", "fewer"),
                ),
                f"amount_change_{d}d": Phrase(
                    text=f"{{value}} spent {last} than in {before}",
                    zero=f"as much spent {last} as in {before}",
                    name=f"change of spend {last}, against {before}",
                    risk="low",
                    change=("more", "less"),
                    decimals=2,
                    money=True,
                ),
                f"orders_recent_share_{d}d": Phrase(
                    text=f"{{value}} of the orders of the last {2 * d} days fell {last}",
                    name=f"share of the orders of the last {2 * d} days that fell {last}",
                    risk="low",
                    percent=True,
                ),
            }
        for h in self.half_lives_days:
            halved = f"one of {h} days ago counted as half"
            said |= {
                f"orders_decayed_{h}d": Phrase(
                    text=f"{{value}} orders, {halved}",
                    zero="hardly any order of late",
                    risk="low",
                    decimals=1,
                ),
                f"amount_decayed_{h}d": Phrase(
                    text=f"{{value}} spent, {halved}",
                    zero="hardly anything spent of late",
                    name=f"spend, {halved}",
                    risk="low",
                    decimals=2,
                    money=True,
                ),
            }
        return said

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        amount = nw.col("amount")
        aggregates: dict[str, nw.Expr] = {
            "_rfm_order_amount_max": (IS_ORDER * amount).max(),
        }
        at_days = {
            "first_order_amount": AtOrderDay(mark="is_first_order_day", value=amount),
            "last_order_amount": AtOrderDay(mark="is_last_order_day", value=amount),
        }
        counts: dict[str, Count] = {}
        features = _lifetime_features(known.snapshot.cutoff_us)
        for days in self.windows_days:
            windowed = self._window(days, known=known)
            aggregates |= windowed.aggregates
            counts |= windowed.counts
            features |= windowed.features
        for h, weight in decay_weights(self.half_lives_days).items():
            aggregates[f"orders_decayed_{h}d"] = (IS_ORDER * weight).sum()
            aggregates[f"amount_decayed_{h}d"] = (amount * weight).sum()
        return [
            Aggregation(
                rows=known["orders"],
                aggregates=aggregates,
                counts=counts,
                at_order_days=at_days,
                features=features,
            )
        ]

    def _window(self, days: int, *, known: Known) -> Aggregation:
        """Return counts and money of a window, and how they compare with the window before it."""
        orders, amount = f"orders_{days}d", f"amount_sum_{days}d"
        compared = tuple(f"{stem}_{days}d" for stem in COMPARED)
        if days > known.snapshot.observation_days:
            features = unknown(orders, amount, f"order_days_{days}d", *compared)
            return Aggregation(rows=known["orders"], features=features)
        recent = nw.col("day") >= known.cutoff_day - days
        aggregates = {amount: sum_if(recent, nw.col("amount"))}
        counts = {
            orders: Count(mark="is_order", where=recent),
            f"order_days_{days}d": Count(mark="is_order_day", where=recent),
        }
        if not known.reaches_back(2 * days):
            return Aggregation(
                rows=known["orders"],
                aggregates=aggregates,
                counts=counts,
                features=unknown(*compared),
            )
        twice = {"orders": f"orders_{2 * days}d", "amount": f"amount_sum_{2 * days}d"}
        if 2 * days >= known.snapshot.observation_days:
            twice = {"orders": "orders", "amount": "net_revenue"}
        elif 2 * days not in self.windows_days:
            twice = {kind: f"_rfm_{name}" for kind, name in twice.items()}
            before = nw.col("day") >= known.cutoff_day - 2 * days
            aggregates[twice["amount"]] = sum_if(before, nw.col("amount"))
            counts[twice["orders"]] = Count(mark="is_order", where=before)
        both_orders, both_amounts = nw.col(twice["orders"]), nw.col(twice["amount"])
        comparisons = (
            nw.col(orders) * 2.0 - both_orders,
            nw.col(amount) * 2.0 - both_amounts,
            ratio(nw.col(orders), both_orders),
        )
        features = dict(zip(compared, comparisons, strict=True))
        return Aggregation(
            rows=known["orders"], aggregates=aggregates, counts=counts, features=features
        )


def _lifetime_features(cutoff_us: int) -> dict[str, nw.Expr]:
    """Return what follows from the columns that every customer has."""
    first, last = nw.col("first_order_us"), nw.col("last_order_us")
    order_days = nw.col("order_days")
    return {
        "days_since_last_order": (nw.lit(cutoff_us) - last) / US_PER_DAY,
        "tenure_days": (nw.lit(cutoff_us) - first) / US_PER_DAY,
        "recency_days": (last - first) / US_PER_DAY,
        "repeat_orders": nw.when(order_days > 0).then(order_days - 1.0),
        "amount_sum": nw.col("net_revenue"),
        "average_order_value": ratio(nw.col("net_revenue"), nw.col("orders")),
        # Every order is worth more than nothing, and rows that are none count as nothing.
        "order_amount_max": nw.when(nw.col("orders") > 0).then(nw.col("_rfm_order_amount_max")),
    }
