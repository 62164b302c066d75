"""The columns of each input table: our names, and what each means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from churnkit.config.frozen import Section
from churnkit.config.keys import Says

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "TABLE_COLUMNS",
    "CampaignColumns",
    "CustomerColumns",
    "EventColumns",
    "MarketingCostColumns",
    "OrderColumns",
    "RewardColumns",
    "SubscriptionColumns",
    "SupportTicketColumns",
    "SurveyColumns",
    "TableColumns",
]

Column = Annotated[str, Field(min_length=1), Says("the name of a column, as text")]
OptionalColumn = Annotated[
    Column | None,
    Says("the name of a column, as text, or null for none", default="looked for"),
]


class TableColumns(Section):
    """The columns of a table: ours as key, the source's as value; null for one that is not there."""

    @property
    def not_there(self) -> frozenset[str]:
        """Our names of columns that the source is said not to have, whatever it calls its own."""
        return frozenset(name for name in self.model_fields_set if getattr(self, name) is None)

    @model_serializer(mode="wrap")
    def _without_those_not_named(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Written out, a null would say that there is no such column.
        return {name: value for name, value in plain(self).items() if name in self.model_fields_set}

    def __eq__(self, other: object) -> bool:
        same: bool = super().__eq__(other)
        return same and isinstance(other, TableColumns) and self.not_there == other.not_there

    def __hash__(self) -> int:
        return hash(frozenset(self.model_dump().items()))


class OrderColumns(TableColumns):
    """Columns of orders, or of order lines."""

    customer_id: Column = Field(description="who bought")
    ts: Column = Field(description="when: a timestamp, a date or ISO 8601 text")
    amount: OptionalColumn = Field(
        default=None,
        description="money of the row, negative for refunds; without it every row counts as 1.0",
    )
    order_id: OptionalColumn = Field(
        default=None,
        description="joins the lines of one order; without it a day's rows are one order",
    )
    product_id: OptionalColumn = Field(default=None, description="what was bought")
    quantity: OptionalColumn = Field(default=None, description="how many pieces")
    discount: OptionalColumn = Field(
        default=None, description="money taken off the row, in the unit of amount"
    )


class EventColumns(TableColumns):
    """Columns of events: visits, clicks, opens."""

    customer_id: Column = Field(description="who acted")
    ts: Column = Field(description="when it happened")
    event_type: Column = Field(description="what happened: visit, email_open, cart_add, …")
    channel: OptionalColumn = Field(default=None, description="where: email, app, web, …")
    campaign_id: OptionalColumn = Field(default=None, description="the campaign that led to it")
    session_id: OptionalColumn = Field(default=None, description="joins the events of one visit")
    product_id: OptionalColumn = Field(default=None, description="the product it was about")
    value: OptionalColumn = Field(default=None, description="a number that belongs to the event")


class SubscriptionColumns(TableColumns):
    """Columns of subscriptions."""

    customer_id: Column = Field(description="who subscribed")
    started_at: Column = Field(description="first instant of the subscription")
    ended_at: Column = Field(description="its end; null while it runs")
    mrr: Column = Field(description="recurring revenue per month")
    subscription_id: OptionalColumn = Field(
        default=None, description="joins changes of one contract"
    )
    plan: OptionalColumn = Field(default=None, description="name of the plan")
    seats: OptionalColumn = Field(default=None, description="how many users it is paid for")
    billing_months: OptionalColumn = Field(
        default=None, description="months between two payments: 1, 12; it renews as often"
    )
    payment_failed_at: OptionalColumn = Field(
        default=None, description="when a payment for it last failed"
    )


class SupportTicketColumns(TableColumns):
    """Columns of support tickets."""

    customer_id: Column = Field(description="who asked")
    opened_at: Column = Field(description="when the ticket was opened")
    first_response_at: OptionalColumn = Field(
        default=None, description="when it was first answered"
    )
    resolved_at: OptionalColumn = Field(default=None, description="when it was resolved")
    channel: OptionalColumn = Field(default=None, description="how: phone, email, chat, …")
    priority: OptionalColumn = Field(default=None, description="how urgent")


class SurveyColumns(TableColumns):
    """Columns of survey answers."""

    customer_id: Column = Field(description="who answered")
    ts: Column = Field(description="when it happened")
    survey: OptionalColumn = Field(
        default=None, description="csat, nps or ces; needed unless kind says it for all rows"
    )
    score: Column = Field(description="the answer")


class RewardColumns(TableColumns):
    """Columns of loyalty rewards."""

    customer_id: Column = Field(description="who got the reward")
    issued_at: Column = Field(description="when it was issued")
    redeemed_at: OptionalColumn = Field(
        default=None, description="when it was used; null until then"
    )
    value: OptionalColumn = Field(default=None, description="its worth in money")


class CustomerColumns(TableColumns):
    """Columns of customer attributes: the id, and any others under names of your choice."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Column]

    customer_id: Column = Field(description="whose attributes they are")
    since: OptionalColumn = Field(
        default=None,
        description="from when on the row is known; without it the attributes are taken to have been"
        " known always",
    )


class MarketingCostColumns(TableColumns):
    """Columns of marketing costs."""

    ts: Column = Field(description="when the money was spent")
    amount: Column = Field(description="how much")
    channel: OptionalColumn = Field(default=None, description="on which channel")


class CampaignColumns(TableColumns):
    """Columns of campaigns with a control group."""

    customer_id: Column = Field(description="who was in the campaign")
    ts: Column = Field(description="when it happened")
    treatment: Column = Field(description="treated or control")
    outcome: Column = Field(description="what came of it")
    cost: OptionalColumn = Field(default=None, description="cost of the treatment")


TABLE_COLUMNS: Mapping[str, type[TableColumns]] = {
    "orders": OrderColumns,
    "events": EventColumns,
    "subscriptions": SubscriptionColumns,
    "support_tickets": SupportTicketColumns,
    "surveys": SurveyColumns,
    "rewards": RewardColumns,
    "customers": CustomerColumns,
    "marketing_costs": MarketingCostColumns,
    "campaigns": CampaignColumns,
}
"""The columns of each table under ``data``."""
