"""What customers do beside ordering: visits, carts, messages opened, and the hours they answer on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw

from churnkit.data.clock import business_day
from churnkit.errors import ParameterError
from churnkit.features.active_days import ActiveDays
from churnkit.features.answer_times import AnswerTimes
from churnkit.features.build import (
    FEATURE_BUILDERS,
    Aggregation,
    Known,
    Phrase,
    sum_if,
    unknown,
)
from churnkit.features.counts import compared, counted, recent
from churnkit.features.messages import STEPS, Messages
from churnkit.features.options import checked_days, checked_names
from churnkit.features.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Engagement"]


@FEATURE_BUILDERS.register("engagement")
@dataclass(frozen=True, kw_only=True)
class Engagement:
    """Visits, carts, messages and answering times of a customer, from the table ``events``.

    Behaviour is what ``event_types`` names; messages are events named ``<channel>_sent``,
    ``<channel>_opened`` and ``<channel>_clicked``. Events of other types are allowed and not
    counted. A customer is *active* on a business day with any behaviour, opening or click; being
    sent a message is no activity.

    ``best_send_hour`` (0 to 23) and ``best_send_day`` (0 is Monday), of the business zone, are
    those at which the customer visits and opens most, an answer counting for the hours around it
    too; ``preferred_channel`` is the position in ``channels`` of the one with the highest share of
    openings. Each is smoothed towards everybody's, as if the customer had ``prior_answers`` more
    answers, or ``prior_messages`` more messages on each channel, like everybody's.

    Parameters
    ----------
    event_types : sequence of str
        Behaviour to count.
    channels : sequence of str
        Channels of messages.
    windows_days : sequence of int, default (30, 90)
        Trailing windows in business days; sessions and shares per channel are of the longest.
    half_lives_days : sequence of int, default (30,)
        Half-lives of decayed sums: what happened ``h`` days ago counts one half.
    view, cart, purchase, visit : str
        Event types that look at a product, fill a cart, empty it by buying, and open a session.
    prior_answers, prior_messages : float, default 5.0, 4.0
        Above 0.

    Raises
    ------
    ParameterError
        If there is no window or half-life, a length is not a whole number of days >= 1 or is repeated, a name
        is repeated, or a prior is not positive.

    Notes
    -----
    Counts of customers without an event are 0. Null: windows that begin before the first event of
    the whole history or before the observation interval, and changes whose earlier window does;
    days since what never happened; the gap and the overdue ratio with fewer than two active days;
    shares of nothing; best hour, day and channel without an answer.
    A session without ``session_id`` in the source is a business day; events whose id is empty are
    in none. A share of openings is 1 at most. Best times are counts of answers and not corrected for
    the hours at which messages were sent.

    Examples
    --------
    >>> Engagement(event_types=["visit"], windows_days=[30]).feature_names[:3]
    ('event_visit_30d', 'event_visit_change_30d', 'event_visit_days_30d')
    """

    event_types: Sequence[str] = (
        "visit",
        "product_view",
        "cart_add",
        "checkout",
        "favourite",
        "purchase",
    )
    channels: Sequence[str] = ("email", "sms", "push")
    windows_days: Sequence[int] = (30, 90)
    half_lives_days: Sequence[int] = (30,)
    view: str = "product_view"
    cart: str = "cart_add"
    purchase: str = "purchase"
    visit: str = "visit"
    prior_answers: float = 5.0
    prior_messages: float = 4.0

    def __post_init__(self) -> None:
        for name, check in (
            ("windows_days", checked_days),
            ("half_lives_days", checked_days),
            ("event_types", checked_names),
            ("channels", checked_names),
        ):
            given = getattr(self, name)
            object.__setattr__(self, name, check(given, where=f"engagement: {name}"))
        for name in ("prior_answers", "prior_messages"):
            if not 0.0 < getattr(self, name) < math.inf:
                msg = f"engagement: {name} must be positive and finite; got {getattr(self, name)!r}"
                raise ParameterError(msg)

    @property
    def counted_types(self) -> frozenset[str]:
        """Event types that features are made of; others are allowed and not counted."""
        messages = {f"{channel}_{step}" for channel in self.channels for step in STEPS}
        own = {*self.event_types, self.view, self.cart, self.purchase, self.visit}
        return frozenset(own | messages)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` needs."""
        return ("events",)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features in order: behaviour, activity, sessions, messages, answering times."""
        return tuple(self.phrases)

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people."""
        said = {k: v for kind in self.event_types for k, v in self._event_phrases(kind).items()}
        return said | {k: v for part in self._parts() for k, v in part.phrases.items()}

    def _event_phrases(self, kind: str) -> dict[str, Phrase]:
        words, said = kind.replace("_", " "), {}
        for d in self.windows_days:
            last = f"in the last {d} days"
            said[f"event_{kind}_{d}d"] = Phrase(
                text=f"{words}: {{value}} times {last}",
                zero=f"no {words} {last}",
                name=f"times of {words} {last}",
            )
            said[f"event_{kind}_change_{d}d"] = Phrase(
                text=f"{words} {{value}} times {last} than in the {d} days before",
                zero=f"{words} as often {last} as in the {d} days before",
                name=f"change of times of {words} {last}, against the {d} days before",
                change=("more", "fewer"),
            )
            said[f"event_{kind}_days_{d}d"] = Phrase(
                text=f"{words} on {{value}} days {last}",
                zero=f"no {words} {last}",
                name=f"days with {words} {last}",
            )
        said[f"days_since_event_{kind}"] = Phrase(
            text=f"last {words} {{value}} days ago",
            zero=f"{words} within the last day",
            name=f"days since the last {words}",
        )
        return said

    def _parts(self) -> tuple[ActiveDays, Sessions, Messages, AnswerTimes]:
        opened = tuple(f"{channel}_opened" for channel in self.channels)
        answers = (f"{channel}_{step}" for channel in self.channels for step in STEPS[1:])
        return (
            ActiveDays(
                event_types=(*self.event_types, *answers),
                windows_days=tuple(self.windows_days),
                half_lives_days=tuple(self.half_lives_days),
            ),
            Sessions(
                event_types=tuple(self.event_types),
                days=max(self.windows_days),
                view=self.view,
                cart=self.cart,
                purchase=self.purchase,
            ),
            Messages(
                channels=tuple(self.channels),
                windows_days=tuple(self.windows_days),
                half_lives_days=tuple(self.half_lives_days),
                prior_messages=self.prior_messages,
            ),
            AnswerTimes(answers=(self.visit, *opened), prior_answers=self.prior_answers),
        )

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        plans = [self._behaviour(known), self._days(known)]
        return [*plans, *(plan for part in self._parts() for plan in part.build(known))]

    def _behaviour(self, known: Known) -> Aggregation:
        """Return counts per type and window, their changes, and the days since the last."""
        aggregates: dict[str, nw.Expr] = {}
        features: dict[str, nw.Expr] = {}
        for kind in self.event_types:
            is_kind = nw.col("event_type") == kind
            aggregates[f"days_since_event_{kind}"] = nw.when(is_kind).then(nw.col("age_days")).min()
            for d in self.windows_days:
                for length in (d, 2 * d):
                    if known.reaches_back(length, table="events"):
                        count = sum_if(is_kind & recent(known, length))
                        aggregates[f"_event_{kind}_{length}d"] = count
                features |= compared(f"event_{kind}", d, known=known)
        return Aggregation(rows=known["events"], aggregates=aggregates, features=features)

    def _days(self, known: Known) -> Aggregation:
        """Return on how many days each type happened, per window."""
        zone, cutoff = known.snapshot.time_zone, known.cutoff_day
        mine = known["events"].filter(
            nw.col("event_type").is_in(list(self.event_types)),
            recent(known, max(self.windows_days)),
        )
        day = business_day(nw.col("ts_us"), time_zone=zone)
        days = mine.select("customer_id", "event_type", day=day).unique()
        aggregates: dict[str, nw.Expr] = {}
        features: dict[str, nw.Expr] = {}
        for kind in self.event_types:
            for d in self.windows_days:
                name = f"event_{kind}_days_{d}d"
                if known.reaches_back(d, table="events"):
                    seen = (nw.col("event_type") == kind) & (nw.col("day") >= cutoff - d)
                    aggregates[f"_{name}"] = sum_if(seen)
                    features[name] = counted(f"_{name}")
                else:
                    features |= unknown(name)
        return Aggregation(rows=days, aggregates=aggregates, features=features)
