"""What a customer makes of rewards and discounts: issued, redeemed, left lying, depended on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from churnkit.features.options import checked_days

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Loyalty"]

PHRASES = {
    "rewards_issued": Phrase(text="got {value} rewards", name="rewards given"),
    "rewards_redeemed": Phrase(
        text="redeemed {value} rewards", name="rewards redeemed", risk="low"
    ),
    "reward_redemption_share": Phrase(
        text="{value} of the rewards redeemed", risk="low", percent=True
    ),
    "days_since_reward": Phrase(
        text="last reward {value} days ago",
        name="days since the last reward",
        zero="a reward within the last day",
    ),
    "days_since_redemption": Phrase(
        text="no reward redeemed for {value} days",
        name="days since a reward was redeemed",
        zero="a reward redeemed within the last day",
        risk="high",
    ),
    "redemption_days_mean": Phrase(text="{value} days from reward to redemption", decimals=1),
    "reward_value_unused": Phrase(
        text="{value} in rewards not redeemed",
        zero="no rewards left to redeem",
        name="worth of rewards not redeemed",
        decimals=2,
        money=True,
    ),
    "discounted_spend_share": Phrase(
        text="{value} of the spend on discounted orders", percent=True
    ),
    "discounted_order_share": Phrase(text="{value} of the orders discounted", percent=True),
}


@FEATURE_BUILDERS.register("loyalty")
@dataclass(frozen=True, kw_only=True)
class Loyalty:
    """Rewards from the table ``rewards``, and how much of the spend hangs on discounts.

    A reward counts from its issue; it is redeemed if that happened before the cutoff. Windows of
    redemptions go by the day of the redemption. An order is *discounted* when any of its lines of
    its first day is.

    Parameters
    ----------
    windows_days : sequence of int, default (90,)
        Trailing windows in business days.

    Raises
    ------
    ParameterError
        If a window is not a whole number of days >= 1, or is repeated.

    Notes
    -----
    Counts of customers without a reward are 0. Null: shares of nothing; days since what never
    happened; what needs a column that the source lacks (``redeemed_at``, ``value``, ``discount`` of
    orders); windows that begin before the first reward of the whole history or before the
    observation interval. Rewards issued before the observation interval are left out. An unused
    reward without a value counts as 0.

    Examples
    --------
    >>> Loyalty(windows_days=[90]).feature_names[:2]
    ('rewards_issued_90d', 'rewards_redeemed_90d')
    """

    windows_days: Sequence[int] = (90,)

    def __post_init__(self) -> None:
        days = checked_days(self.windows_days, where="loyalty: windows_days")
        object.__setattr__(self, "windows_days", days)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` needs."""
        return ("rewards",)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features in order: windows, rewards, discounts."""
        return tuple(self.phrases)

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people."""
        said = {}
        for d in self.windows_days:
            for step, words in (("issued", "got"), ("redeemed", "redeemed")):
                text = f"{words} {{value}} rewards in the last {d} days"
                named = f"rewards {step} in the last {d} days"
                said[f"rewards_{step}_{d}d"] = Phrase(text=text, name=named)
        return said | PHRASES

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        return [self._issued(known), self._redeemed(known), _discounts(known)]

    def _issued(self, known: Known) -> Aggregation:
        issued = nw.col("issued_at_us")
        aggregates = {
            "_loyalty_issued": issued.count().cast(nw.Float64),
            "days_since_reward": nw.col("age_days").min(),
        }
        features = {"rewards_issued": counted("_loyalty_issued")}
        for d in self.windows_days:
            if known.reaches_back(d, table="rewards"):
                aggregates[f"_loyalty_issued_{d}d"] = sum_if(issued >= known.days_ago_us(d))
                features[f"rewards_issued_{d}d"] = counted(f"_loyalty_issued_{d}d")
            else:
                features |= unknown(f"rewards_issued_{d}d")
        return Aggregation(rows=known["rewards"], aggregates=aggregates, features=features)

    def _redeemed(self, known: Known) -> Aggregation:
        rows = known["rewards"]
        given = rows.collect_schema().names()
        names = (
            "rewards_redeemed",
            "reward_redemption_share",
            "days_since_redemption",
            "redemption_days_mean",
            "reward_value_unused",
        )
        if "redeemed_at_us" not in given:
            windows = (f"rewards_redeemed_{d}d" for d in self.windows_days)
            return Aggregation(rows=rows, features=unknown(*names, *windows))
        redeemed = nw.col("redeemed_at_us")
        cutoff = nw.lit(known.snapshot.cutoff_us)
        aggregates = {
            "_loyalty_redeemed": redeemed.count().cast(nw.Float64),
            "days_since_redemption": ((cutoff - redeemed) / US_PER_DAY).min(),
            "redemption_days_mean": ((redeemed - nw.col("issued_at_us")) / US_PER_DAY).mean(),
        }
        features = {
            "rewards_redeemed": counted("_loyalty_redeemed"),
            "reward_redemption_share": ratio(
                nw.col("_loyalty_redeemed"), nw.col("_loyalty_issued")
            ),
        }
        if "value" in given:
            unused = sum_if(redeemed.is_null(), nw.col("value").fill_null(0.0))
            aggregates["_loyalty_unused"] = unused
            features["reward_value_unused"] = counted("_loyalty_unused")
        else:
            features |= unknown("reward_value_unused")
        for d in self.windows_days:
            if known.reaches_back(d, table="rewards"):
                aggregates[f"_loyalty_redeemed_{d}d"] = sum_if(redeemed >= known.days_ago_us(d))
                features[f"rewards_redeemed_{d}d"] = counted(f"_loyalty_redeemed_{d}d")
            else:
                features |= unknown(f"rewards_redeemed_{d}d")
        return Aggregation(rows=rows, aggregates=aggregates, features=features)


def _discounts(known: Known) -> Aggregation:
    """Return which share of orders and of their money came with a discount."""
    if "orders" not in known.tables:
        names = ("discounted_order_share", "discounted_spend_share")
        return Aggregation(rows=known["rewards"], features=unknown(*names))
    is_order, discount = nw.col("is_order") == 1, nw.col("discount")
    discounted = is_order & (discount > 0)
    aggregates = {
        "_loyalty_discounted_orders": sum_if(discounted),
        "_loyalty_discounted_amount": sum_if(discounted, nw.col("amount")),
        "_loyalty_discounts_known": nw.when(is_order).then(discount).count().cast(nw.Float64),
    }
    is_known = nw.col("_loyalty_discounts_known") > 0
    orders = ratio(nw.col("_loyalty_discounted_orders"), nw.col("orders"))
    spend = ratio(nw.col("_loyalty_discounted_amount"), nw.col("order_amount"))
    features = {
        "discounted_order_share": nw.when(is_known).then(orders),
        "discounted_spend_share": nw.when(is_known).then(spend),
    }
    return Aggregation(rows=known["orders"], aggregates=aggregates, features=features)
