"""The data section: where each input table is read from, and which of its columns mean what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Generic, Literal, Self, TypeAlias, TypeVar

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from churnkit.config.faults import Fault, FaultsError
from churnkit.config.keys import Says
from churnkit.config.values import Expressions, Section, SourceText, Text, TimeZone, freeze

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TABLE_COLUMNS", "Data", "Table", "TableColumns"]

ENOUGH_FOR_METRICS = ("events", "subscriptions", "support_tickets", "surveys", "rewards")
"""Tables that have metrics of their own; the others only add to these or to the orders."""

Column = Annotated[str, Field(min_length=1), Says("the name of a column, as text")]


class TableColumns(Section):
    """The columns of a table: ours as key, the source's as value."""


Columns = TypeVar("Columns", bound=TableColumns)


class Table(Section, Generic[Columns]):
    """One input table."""

    source: SourceText = Field(
        description="dataset:NAME for bundled data, table:NAME for a table of Spark's catalog, or a"
        " path or glob of Parquet or CSV files, relative to the working directory"
    )
    columns: Columns | None = Field(
        default=None,
        description="our column names, each with the source's own; one that is not named here is"
        " looked for under our name",
    )
    computed: Expressions = Field(
        default=freeze({}),
        description="new columns, each an SQL expression on the source's own, for columns and filter"
        " to name; the columns of a CSV file are text: TRY_CAST(quantity AS DOUBLE) *"
        " TRY_CAST(unit_price AS DOUBLE), or try_strptime(invoice_date, '%m/%d/%Y %H:%M')",
    )
    filter: Text | None = Field(
        default=None,
        description="SQL predicate on the source's own columns; only rows that meet it are read",
    )
    query: Text | None = Field(
        default=None,
        description="SQL query whose rows are the table; only for postgresql:// sources",
    )
    table: Text | None = Field(
        default=None, description="table to read; only for postgresql:// sources"
    )

    @property
    def column_mapping(self) -> dict[str, str]:
        """Our column names with the source's; empty where the source uses ours."""
        given = {} if self.columns is None else self.columns.model_dump()
        return {ours: theirs for ours, theirs in given.items() if theirs is not None}

    @field_validator("query", "table")
    @classmethod
    def _needs_a_database(cls, value: str | None, info: ValidationInfo) -> str | None:
        source = info.data.get("source", "postgresql://")
        if value is not None and not source.startswith("postgresql://"):
            msg = f"is only for postgresql:// sources; the source is {source!r}"
            raise ValueError(msg)
        return value


class OrderColumns(TableColumns):
    """Columns of orders, or of order lines."""

    customer_id: Column = Field(description="who bought")
    ts: Column = Field(description="when: a timestamp, a date or ISO 8601 text")
    amount: Column | None = Field(
        default=None,
        description="money of the row, negative for refunds; without it every order counts as 1.0",
    )
    order_id: Column | None = Field(
        default=None,
        description="joins the lines of one order; without it a day's rows are one order",
    )
    product_id: Column | None = Field(default=None, description="what was bought")
    quantity: Column | None = Field(default=None, description="how many pieces")
    discount: Column | None = Field(
        default=None, description="money taken off the row, in the unit of amount"
    )


class EventColumns(TableColumns):
    """Columns of events: visits, clicks, opens."""

    customer_id: Column = Field(description="who acted")
    ts: Column = Field(description="when it happened")
    event_type: Column = Field(description="what happened: visit, email_open, cart_add, …")
    channel: Column | None = Field(default=None, description="where: email, app, web, …")
    campaign_id: Column | None = Field(default=None, description="the campaign that led to it")
    session_id: Column | None = Field(default=None, description="joins the events of one visit")
    product_id: Column | None = Field(default=None, description="the product it was about")
    value: Column | None = Field(default=None, description="a number that belongs to the event")


class SubscriptionColumns(TableColumns):
    """Columns of subscriptions."""

    customer_id: Column = Field(description="who subscribed")
    started_at: Column = Field(description="first instant of the subscription")
    ended_at: Column = Field(description="its end; null while it runs")
    mrr: Column = Field(description="recurring revenue per month")
    subscription_id: Column | None = Field(
        default=None, description="joins changes of one contract"
    )
    plan: Column | None = Field(default=None, description="name of the plan")
    seats: Column | None = Field(default=None, description="how many users it is paid for")
    billing_months: Column | None = Field(
        default=None, description="months between two payments: 1, 12; it renews as often"
    )
    payment_failed_at: Column | None = Field(
        default=None, description="when a payment for it last failed"
    )


class SupportTicketColumns(TableColumns):
    """Columns of support tickets."""

    customer_id: Column = Field(description="who asked")
    opened_at: Column = Field(description="when the ticket was opened")
    first_response_at: Column | None = Field(default=None, description="when it was first answered")
    resolved_at: Column | None = Field(default=None, description="when it was resolved")
    channel: Column | None = Field(default=None, description="how: phone, email, chat, …")
    priority: Column | None = Field(default=None, description="how urgent")


class SurveyColumns(TableColumns):
    """Columns of survey answers."""

    customer_id: Column = Field(description="who answered")
    ts: Column = Field(description="when it happened")
    survey: Column | None = Field(
        default=None, description="csat, nps or ces; needed unless kind says it for all rows"
    )
    score: Column = Field(description="the answer")


class RewardColumns(TableColumns):
    """Columns of loyalty rewards."""

    customer_id: Column = Field(description="who got the reward")
    issued_at: Column = Field(description="when it was issued")
    redeemed_at: Column | None = Field(
        default=None, description="when it was used; null until then"
    )
    value: Column | None = Field(default=None, description="its worth in money")


class CustomerColumns(TableColumns):
    """Columns of customer attributes: the id, and any others under names of your choice."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Column]

    customer_id: Column = Field(description="whose attributes they are")
    since: Column | None = Field(
        default=None,
        description="from when on the row is known; without it the attributes are taken to have been"
        " known always",
    )


class MarketingCostColumns(TableColumns):
    """Columns of marketing costs."""

    ts: Column = Field(description="when the money was spent")
    amount: Column = Field(description="how much")
    channel: Column | None = Field(default=None, description="on which channel")


class CampaignColumns(TableColumns):
    """Columns of campaigns with a control group."""

    customer_id: Column = Field(description="who was in the campaign")
    ts: Column = Field(description="when it happened")
    treatment: Column = Field(description="treated or control")
    outcome: Column = Field(description="what came of it")
    cost: Column | None = Field(default=None, description="cost of the treatment")


class SurveyTable(Table[SurveyColumns]):
    """Answers to surveys, of several kinds or all of one."""

    kind: Literal["csat", "nps", "ces"] | None = Field(
        default=None, description="the survey of all rows, where no column says it"
    )

    @field_validator("kind")
    @classmethod
    def _instead_of_a_column(cls, value: str | None, info: ValidationInfo) -> str | None:
        columns = info.data.get("columns")
        if value is not None and columns is not None and columns.survey is not None:
            msg = f"takes the place of columns.survey: give one of both; got {value!r} and {columns.survey!r}"
            raise ValueError(msg)
        return value


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

Orders: TypeAlias = Table[OrderColumns]
Events: TypeAlias = Table[EventColumns]
Subscriptions: TypeAlias = Table[SubscriptionColumns]
SupportTickets: TypeAlias = Table[SupportTicketColumns]
Surveys: TypeAlias = SurveyTable
Rewards: TypeAlias = Table[RewardColumns]
Customers: TypeAlias = Table[CustomerColumns]
MarketingCosts: TypeAlias = Table[MarketingCostColumns]
Campaigns: TypeAlias = Table[CampaignColumns]


class Data(Section):
    """What is known about customers."""

    time_zone: TimeZone = Field(
        default="UTC",
        description="business zone: naive times are in it, days begin at its midnight",
    )
    on_invalid: Literal["quarantine", "raise"] = Field(
        default="quarantine",
        description="rows that break the contract: quarantine counts them, sets them aside in a file"
        " and goes on; raise stops",
    )
    refunds: Literal["net", "drop", "raise"] = Field(
        default="net",
        description="rows with a negative amount: net subtracts them, drop leaves them out, raise stops",
    )
    duplicates: Literal["keep", "drop"] = Field(
        default="keep",
        description="rows equal in every column: keep counts each, drop counts them once",
    )
    orders: Orders | None = Field(
        default=None,
        description="the transaction history, one row per order or order line; metrics of other"
        " tables can do without it, and so can label.kind subscription_end",
    )
    events: Events | None = Field(default=None, description="visits, opens, clicks")
    subscriptions: Subscriptions | None = Field(
        default=None, description="contracts with start, end and monthly revenue"
    )
    support_tickets: SupportTickets | None = Field(
        default=None, description="questions and complaints"
    )
    surveys: Surveys | None = Field(
        default=None, description="answers to CSAT, NPS and CES surveys"
    )
    rewards: Rewards | None = Field(
        default=None, description="loyalty rewards, issued and redeemed"
    )
    customers: Customers | None = Field(default=None, description="attributes of customers")
    marketing_costs: MarketingCosts | None = Field(
        default=None, description="money spent to win and keep customers"
    )
    campaigns: Campaigns | None = Field(default=None, description="campaigns with a control group")

    @model_validator(mode="after")
    def _has_something(self) -> Self:
        if self.orders is None and not any(getattr(self, name) for name in ENOUGH_FOR_METRICS):
            meaning = "the transaction history, one row per order or order line"
            others = (
                f"metrics alone can also be made of {', '.join(ENOUGH_FOR_METRICS)}, and models with"
                " label.kind subscription_end of subscriptions"
            )
            raise FaultsError(Fault(("orders",), f"required key is missing: {meaning}; {others}"))
        return self
