"""What a visit holds: events and minutes per session, carts left behind, products looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw

from churnkit.data.clock import business_day
from churnkit.features.build import Aggregation, Known, Phrase, ratio, sum_if, unknown
from churnkit.features.counts import counted, recent

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Sessions"]

US_PER_MINUTE = 60_000_000


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """Part of :class:`~.engagement.Engagement`: events of one session in the longest window."""

    event_types: tuple[str, ...]
    days: int
    view: str
    cart: str
    purchase: str

    @property
    def phrases(self) -> dict[str, Phrase]:
        """How each feature is said to people, in order."""
        d, last = self.days, f"in the last {self.days} days"
        return {
            f"sessions_{d}d": Phrase(text=f"{{value}} sessions {last}", risk="low"),
            f"session_events_mean_{d}d": Phrase(
                text=f"{{value}} actions per session {last}", decimals=1
            ),
            f"session_minutes_mean_{d}d": Phrase(
                text=f"{{value}} minutes per session {last}", decimals=1
            ),
            f"cart_abandonment_share_{d}d": Phrase(
                text=f"{{value}} of the carts {last} left behind", percent=True
            ),
            f"products_viewed_{d}d": Phrase(
                text=f"{{value}} different products viewed {last}",
                zero=f"no product viewed {last}",
                risk="low",
            ),
        }

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        *of_sessions, viewed = self.phrases
        rows = known["events"]
        if not known.reaches_back(self.days, table="events"):
            return [Aggregation(rows=rows, features=unknown(*of_sessions, viewed))]
        given = rows.collect_schema().names()
        mine = rows.filter(recent(known, self.days))
        session = nw.col("session_id")
        if "session_id" not in given:
            session = business_day(
                nw.col("ts_us"),
                time_zone=known.snapshot.time_zone,
                span=known.snapshot.observation_us,
            )
        is_own = nw.col("event_type").is_in(list(self.event_types))
        sessions = (
            mine.filter(is_own)
            .with_columns(session=session)
            .filter(~nw.col("session").is_null())
            .group_by("customer_id", "session")
            .agg(
                events=nw.col("age_days").count().cast(nw.Float64),
                minutes=(nw.col("ts_us").max() - nw.col("ts_us").min()) / US_PER_MINUTE,
                carts=sum_if(nw.col("event_type") == self.cart),
                purchases=sum_if(nw.col("event_type") == self.purchase),
            )
        )
        has_cart = nw.col("carts") > 0
        left = has_cart & (nw.col("purchases") == 0)
        names = ("sessions", "events", "minutes", "carts", "left")
        sums = (1.0 + 0.0 * nw.col("events"), nw.col("events"), nw.col("minutes"))
        aggregates = {
            **{f"_session_{n}": e.sum() for n, e in zip(names, sums, strict=False)},
            "_session_carts": sum_if(has_cart),
            "_session_left": sum_if(left),
        }
        n, events, minutes, carts, left_behind = (nw.col(f"_session_{name}") for name in names)
        values = (counted("_session_sessions"), ratio(events, n), ratio(minutes, n))
        made = (*values, ratio(left_behind, carts))
        plan = Aggregation(
            rows=sessions, aggregates=aggregates, features=dict(zip(of_sessions, made, strict=True))
        )
        if "product_id" not in given:
            return [plan, Aggregation(rows=rows, features=unknown(viewed))]
        is_view = nw.col("event_type") == self.view
        views = mine.filter(is_view, ~nw.col("product_id").is_null())
        distinct = {"_session_products": nw.col("product_id").n_unique().cast(nw.Float64)}
        features = {viewed: counted("_session_products")}
        return [plan, Aggregation(rows=views, aggregates=distinct, features=features)]
