"""The retention section: which of the field's definitions the metrics use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, PlainValidator, ValidationInfo, field_validator

from churnkit.config.faults import Fault, FaultsError, shown
from churnkit.config.frozen import Section, freeze, thaw
from churnkit.config.keys import Says
from churnkit.config.values import Days, Fraction, NonNegative, Positive, TableFile, Text

__all__ = ["Retention"]


def _rules(value: object) -> tuple[Mapping[str, Any], ...] | None:
    if value is None:
        return None
    rule = "must be a list of rules, each a mapping of segment, r, f and m, or null"
    if not isinstance(value, list | tuple) or not value:
        raise FaultsError(Fault((), f"{rule}; got {shown(value)}"))
    faults = [
        Fault((position,), f"must be a mapping of segment, r, f and m; got {shown(row)}")
        for position, row in enumerate(value)
        if not isinstance(row, Mapping)
    ]
    if faults:
        raise FaultsError(*faults)
    frozen: tuple[Mapping[str, Any], ...] = freeze(value)
    return frozen


def _event_types(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, list | tuple) and value and all(isinstance(v, str) and v for v in value):
        return tuple(value)
    msg = f"must be a list of event types, or null; got {shown(value)}"
    raise FaultsError(Fault((), msg))


def _steps(value: object) -> tuple[str, ...] | None:
    steps = _event_types(value)
    if steps is not None and (len(steps) < 2 or len(set(steps)) < len(steps)):
        msg = f"must be at least two event types, each once, or null; got {shown(value)}"
        raise FaultsError(Fault((), msg))
    return steps


Options = Annotated[int, Field(ge=2, le=100), Says("a whole number from 2 to 100")]
SegmentTable = Annotated[
    tuple[Mapping[str, Any], ...] | None,
    PlainValidator(_rules),
    PlainSerializer(thaw),
    Says("a list of rules or null"),
]
EventTypes = Annotated[
    tuple[str, ...] | None,
    PlainValidator(_event_types),
    PlainSerializer(thaw),
    Says("a list of event types or null"),
]

FunnelSteps = Annotated[
    tuple[str, ...] | None,
    PlainValidator(_steps),
    PlainSerializer(thaw),
    Says("a list of event types or null"),
]
LadderSteps = Annotated[int, Field(ge=1, le=100), Says("a whole number from 1 to 100")]
Points = Annotated[float, Field(ge=-100, le=100), Says("a number from -100 to 100")]


class Retention(Section):
    """The definitions behind the retention metrics."""

    activity_window_days: Days | None = Field(
        default=None,
        description="an order keeps its customer active for so many days; null:"
        " population.active_within_days",
    )
    churn: Literal["start_of_period", "including_joiners", "mean_of_daily"] = Field(
        default="start_of_period", description="variant of customer_churn_rate"
    )
    repeat: Literal["in_period", "ever"] = Field(
        default="in_period", description="variant of repeat_purchase_rate"
    )
    net_revenue: Literal["closed", "with_reactivations"] = Field(
        default="closed", description="variant of net_revenue_retention"
    )
    lifespan: Literal["observed", "churn"] = Field(
        default="observed",
        description="lifespan in customer_lifetime_value, and in formula_ltv of the score table:"
        " last order - first order, or 1 / yearly churn",
    )
    discounted: Literal["first_margin_excluded", "first_margin_counted"] = Field(
        default="first_margin_excluded", description="variant of discounted_lifetime_value"
    )
    yearly_discount_rate: NonNegative | None = Field(
        default=None,
        description="discount rate of lifetime values in the metrics, as a fraction; null:"
        " lifetime_value.yearly_discount_rate",
    )
    lift_points: Points = Field(
        default=5.0,
        description="percentage points of retention whose effect retention_lift shows",
    )
    csat_options: Options = Field(default=5, description="options of the CSAT scale, from 1")
    csat_positive_from: Options | None = Field(
        default=None, description="lowest positive CSAT score; null: the top two options"
    )
    ces_options: Options = Field(
        default=7, description="options of the CES scale, from 1; the highest is the least effort"
    )
    ces: Literal["share_of_scale", "mean", "top_two_box"] = Field(
        default="share_of_scale", description="variant of ces"
    )
    user_events: EventTypes = Field(
        default=None,
        description="event types that make a user active; null: all. What was sent to somebody is"
        " no action of theirs",
    )
    cart_event: Text = Field(default="cart_add", description="event type of a filled cart")
    purchase_event: Text = Field(default="purchase", description="event type of a purchase")
    cart_window_hours: Positive = Field(
        default=24.0, description="a cart without a purchase in so many hours is abandoned"
    )
    funnel_steps: FunnelSteps = Field(
        default=None,
        description="event types of the funnel in order, at least two; null: cart_event, then"
        " purchase_event",
    )
    funnel_window_hours: Positive = Field(
        default=24.0, description="all steps of a funnel must follow within so many hours"
    )
    funnel_by: Literal["customer", "session"] = Field(
        default="customer",
        description="what goes through the funnel: customers, or sessions by session_id",
    )
    ladder_steps: LadderSteps = Field(
        default=10, description="orders up to which the repurchase ladder goes"
    )
    ladder_days: Days | None = Field(
        default=None,
        description="days within which the next order counts in the repurchase ladder; null:"
        " whenever it was",
    )
    segments: SegmentTable = Field(
        default=None,
        description="rules that make rfm_segment of the scores, such as"
        " {segment: loyal, r: [3, 5], f: [4, 5]}; together they must cover each of the 125 cells"
        " once; null: the eleven segments of practice",
    )
    level: Fraction = Field(default=0.95, description="level of all confidence intervals")
    output: TableFile = Field(
        default="out/{name}/metrics.parquet",
        description="metrics that a run writes, relative to the working directory; {name} is the"
        " run's name",
    )

    @field_validator("csat_positive_from")
    @classmethod
    def _on_the_scale(cls, value: int | None, info: ValidationInfo) -> int | None:
        options = info.data.get("csat_options")
        if value is not None and options is not None and value > options:
            msg = f"must be at most retention.csat_options ({options}); got {value}"
            raise ValueError(msg)
        return value
