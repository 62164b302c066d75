"""How customers answer messages: sent, opened and clicked per channel, fatigue, the best channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np

from churnkit.features.build import Aggregation, Known, Phrase, ratio, sum_if, unknown
from churnkit.features.counts import counted, recent
from churnkit.features.decay import decay_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["STEPS", "Messages"]

STEPS = ("sent", "opened", "clicked")
DAYS_PER_WEEK = 7.0


def share(part: nw.Expr, whole: nw.Expr) -> nw.Expr:
    """Return a share of messages, 1 at most: a message opened twice counts twice."""
    return ratio(part, whole).clip(upper_bound=1.0)


@dataclass(frozen=True, kw_only=True)
class Messages:
    """Part of :class:`~.engagement.Engagement`: events ``<channel>_sent``, ``_opened``, ``_clicked``."""

    channels: tuple[str, ...]
    windows_days: tuple[int, ...]
    half_lives_days: tuple[int, ...]
    prior_messages: float

    @property
    def longest(self) -> int:
        """The window of shares per channel."""
        return max(self.windows_days)

    @property
    def phrases(self) -> dict[str, Phrase]:
        """How each feature is said to people, in order."""
        said: dict[str, Phrase] = {}
        for channel in self.channels:
            said |= self._channel_phrases(channel)
        if not self.channels:
            return said
        for d in self.windows_days:
            said |= {
                f"message_open_share_{d}d": Phrase(
                    text=f"{{value}} of the messages of the last {d} days opened",
                    risk="low",
                    percent=True,
                ),
                f"messages_per_week_{d}d": Phrase(
                    text=f"{{value}} messages a week sent in the last {d} days", decimals=1
                ),
                f"messages_unopened_per_week_{d}d": Phrase(
                    text=f"{{value}} messages a week left unopened in the last {d} days",
                    risk="high",
                    decimals=1,
                ),
            }
        for h in self.half_lives_days:
            said[f"message_open_share_decayed_{h}d"] = Phrase(
                text=f"{{value}} of the messages opened, one of {h} days ago counted as half",
                risk="low",
                percent=True,
            )
        said["days_since_message_opened"] = Phrase(
            text="no message opened for {value} days",
            name="days since a message was opened",
            zero="a message opened within the last day",
            risk="high",
        )
        words = tuple(channel.replace("_", " ") for channel in self.channels)
        said["preferred_channel"] = Phrase(
            text="answers messages best by {value}",
            name="channel that is answered best",
            words=words,
        )
        return said

    def _channel_phrases(self, channel: str) -> dict[str, Phrase]:
        said = {}
        name, word = f"message_{channel}", channel.replace("_", " ")
        for d in self.windows_days:
            for step in STEPS:
                text = f"{{value}} {word} messages {step} in the last {d} days"
                said[f"{name}_{step}_{d}d"] = Phrase(
                    text=text, risk="" if step == "sent" else "low"
                )
        days = f"of the last {self.longest} days"
        said |= {
            f"{name}_open_share_{self.longest}d": Phrase(
                text=f"{{value}} of the {word} messages {days} opened", risk="low", percent=True
            ),
            f"{name}_click_share_{self.longest}d": Phrase(
                text=f"{{value}} of the {word} messages {days} clicked", risk="low", percent=True
            ),
            f"{name}_reachable": Phrase(
                text="{value}",
                name=f"whether {word} messages are answered",
                risk="low",
                words=(f"does not answer {word} messages", f"answers {word} messages"),
            ),
            f"days_since_{name}_opened": Phrase(
                text=f"no {word} message opened for {{value}} days",
                name=f"days since {word} messages were opened",
                zero=f"{word} message opened within the last day",
                risk="high",
            ),
        }
        return said

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        if not self.channels:
            return []
        rows, kind, age = known["events"], nw.col("event_type"), nw.col("age_days")
        aggregates: dict[str, nw.Expr] = {}
        features: dict[str, nw.Expr] = {}
        for channel in self.channels:
            name = f"message_{channel}"
            for step in STEPS:
                mine = kind == f"{channel}_{step}"
                aggregates[f"_{name}_{step}"] = sum_if(mine)
                for d in self.windows_days:
                    if known.reaches_back(d, table="events"):
                        aggregates[f"_{name}_{step}_{d}d"] = sum_if(mine & recent(known, d))
            opened = kind == f"{channel}_opened"
            aggregates[f"days_since_{name}_opened"] = nw.when(opened).then(age).min()
            features |= self._channel_features(channel, known=known)
        opened = kind.is_in([f"{channel}_opened" for channel in self.channels])
        sent = kind.is_in([f"{channel}_sent" for channel in self.channels])
        aggregates["days_since_message_opened"] = nw.when(opened).then(age).min()
        for h, weight in decay_weights(self.half_lives_days, age_days=age).items():
            made = f"_message_decayed_{h}d"
            aggregates[f"{made}_opened"] = sum_if(opened, weight)
            aggregates[f"{made}_sent"] = sum_if(sent, weight)
            decayed = share(nw.col(f"{made}_opened"), nw.col(f"{made}_sent"))
            features[f"message_open_share_decayed_{h}d"] = decayed
        for d in self.windows_days:
            features |= self._overall(d, known=known)
        finish = _Preference(
            channels=self.channels, rates=self._rates(known), prior=self.prior_messages
        ).best
        return [Aggregation(rows=rows, aggregates=aggregates, features=features, finish=finish)]

    def _channel_features(self, channel: str, *, known: Known) -> dict[str, nw.Expr]:
        name, d = f"message_{channel}", self.longest
        features: dict[str, nw.Expr] = {}
        for days in self.windows_days:
            for step in STEPS:
                made = f"{name}_{step}_{days}d"
                seen = known.reaches_back(days, table="events")
                features |= {made: counted(f"_{made}")} if seen else unknown(made)
        shares = (f"{name}_open_share_{d}d", f"{name}_click_share_{d}d", f"{name}_reachable")
        if not known.reaches_back(d, table="events"):
            return features | unknown(*shares)
        sent, opened, clicked = (nw.col(f"_{name}_{step}_{d}d") for step in STEPS)
        answered = nw.when(opened + clicked > 0).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
        made_of = (share(opened, sent), share(clicked, sent), nw.when(sent > 0).then(answered))
        return features | dict(zip(shares, made_of, strict=True))

    def _overall(self, days: int, *, known: Known) -> dict[str, nw.Expr]:
        """Return how often messages come and how many are opened, over all channels."""
        names = (
            f"message_open_share_{days}d",
            f"messages_per_week_{days}d",
            f"messages_unopened_per_week_{days}d",
        )
        if not known.reaches_back(days, table="events"):
            return unknown(*names)
        sent, opened = (
            sum((counted(f"_message_{c}_{step}_{days}d") for c in self.channels), nw.lit(0.0))
            for step in STEPS[:2]
        )
        unopened = (sent - opened).clip(lower_bound=0.0)
        weeks = days / DAYS_PER_WEEK
        return dict(zip(names, (share(opened, sent), sent / weeks, unopened / weeks), strict=True))

    def _rates(self, known: Known) -> tuple[float, ...]:
        """Return everybody's share of openings per channel, 0 where nothing was sent."""
        kind = nw.col("event_type")
        sums = {
            f"{channel}_{step}": sum_if(kind == f"{channel}_{step}")
            for channel in self.channels
            for step in STEPS[:2]
        }
        found = known.engine.collect(known["events"].select(**sums)).to_pylist()[0]
        total = {name: float(value or 0.0) for name, value in found.items()}
        return tuple(
            min(total[f"{c}_opened"] / total[f"{c}_sent"], 1.0) if total[f"{c}_sent"] else 0.0
            for c in self.channels
        )


@dataclass(frozen=True, kw_only=True)
class _Preference:
    """Everybody's rate of openings per channel, and how many messages it is worth."""

    channels: tuple[str, ...]
    rates: tuple[float, ...]
    prior: float

    def best(self, table: pa.Table) -> Mapping[str, NDArray[np.float64]]:
        """Return the channel with the highest smoothed share of openings, NaN without an opening."""
        sent, opened = (
            np.stack([_filled(table, f"_message_{c}_{step}") for c in self.channels])
            for step in STEPS[:2]
        )
        rate = (opened + self.prior * np.array(self.rates)[:, None]) / (sent + self.prior)
        found = np.where(opened.sum(axis=0) > 0, rate.round(9).argmax(axis=0), np.nan)
        return {"preferred_channel": found}


def _filled(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].fill_null(0.0).to_numpy(), dtype=np.float64)
