"""The data section: where each input table is read from, and which of its columns mean what."""

from __future__ import annotations

import re
from typing import Any, Generic, Literal, Self, TypeAlias, TypeVar

from pydantic import Field, ValidationInfo, field_validator, model_validator

from churnkit.config.columns import (
    CampaignColumns,
    CustomerColumns,
    EventColumns,
    MarketingCostColumns,
    OrderColumns,
    RewardColumns,
    SubscriptionColumns,
    SupportTicketColumns,
    SurveyColumns,
    TableColumns,
)
from churnkit.config.faults import Fault, FaultsError
from churnkit.config.frozen import Section, freeze
from churnkit.config.values import Expressions, Joined, SourceText, Text, TimeZone

__all__ = ["Data", "Table"]

ENOUGH_FOR_METRICS = ("events", "subscriptions", "support_tickets", "surveys", "rewards")
"""Tables that have metrics of their own; the others only add to these or to the orders."""

DATABASE = "postgresql://"
CSV = re.compile(r"(?i)\.(csv|tsv|txt)(\.gz)?$")
# user:password@host, and ?password=
SECRET = re.compile(r"^\w+://[^/@?]*:[^/?]*@|[?&](ssl)?password=")

Columns = TypeVar("Columns", bound=TableColumns)


class Table(Section, Generic[Columns]):
    """One input table."""

    source: SourceText = Field(
        description="dataset:NAME for bundled data, table:NAME for a table of Spark's catalog,"
        " postgresql://user@host/database with query or table, or a path or glob of Parquet or CSV"
        " files, relative to the working directory"
    )
    columns: Columns | None = Field(
        default=None,
        description="our column names, each with the source's own; an optional one that is not named"
        " here, or all if there is no mapping, are looked for under our names; null says that the"
        " source has no such column, whatever it calls its own",
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
    encoding: Literal["utf-8", "latin-1", "utf-16"] = Field(
        default="utf-8",
        description="of the text of CSV files; latin-1 also reads what Windows writes, but for its"
        " quotes, dashes and euro signs",
    )
    joined: Joined = Field(
        default=freeze({}),
        description="further files, each under a name for query: {items: order_items.csv}",
    )
    query: Text | None = Field(
        default=None,
        description="SELECT whose rows are the table: of a database in PostgreSQL's SQL; of files in"
        " the engine's, where source is called source: SELECT * FROM source FULL JOIN items USING"
        " (order_id). A full join loses no row, and those without a partner are counted as broken",
    )
    table: Text | None = Field(
        default=None,
        description="table or view to read whole, such as shop.orders, in place of query; only for"
        " postgresql:// sources",
    )

    @property
    def column_mapping(self) -> dict[str, str]:
        """Our column names with the source's; those that are not named are looked for."""
        given = {} if self.columns is None else self.columns.model_dump()
        return {ours: theirs for ours, theirs in given.items() if theirs is not None}

    @property
    def not_there(self) -> frozenset[str]:
        """Our names of columns that the source is said not to have."""
        return frozenset() if self.columns is None else self.columns.not_there

    @property
    def asked(self) -> str | None:
        """The query whose rows are the table; None where they are those of the source."""
        if self.table is None:
            return self.query
        parts = (part.replace('"', '""') for part in self.table.split("."))
        return "SELECT * FROM " + ".".join(f'"{part}"' for part in parts)

    @field_validator("source")
    @classmethod
    def _keeps_no_password(cls, value: str) -> str:
        # The text of a configuration is logged with its runs and printed on their pages.
        if value.startswith(DATABASE) and SECRET.search(value):
            msg = "must not hold a password; set PGPASSWORD, or write it to ~/.pgpass"
            raise FaultsError(Fault((), msg))
        return value

    @field_validator("table", "joined")
    @classmethod
    def _fits_the_source(cls, value: Any, info: ValidationInfo) -> Any:
        source = info.data.get("source", "")
        if value and source and source.startswith(DATABASE) != (info.field_name == "table"):
            kind = "postgresql:// sources" if info.field_name == "table" else "files"
            msg = f"is only for {kind}; the source is {source!r}"
            raise ValueError(msg)
        return value

    @field_validator("encoding")
    @classmethod
    def _needs_text(cls, value: str, info: ValidationInfo) -> str:
        source = info.data.get("source", "")
        if value != "utf-8" and not CSV.search(source):
            msg = f"is only for CSV files; the source is {source!r}"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if self.source.startswith(DATABASE) and (self.query is None) == (self.table is None):
            rule = "a postgresql:// source needs query or table, one of both"
            got = "neither" if self.query is None else "both"
            raise FaultsError(Fault(("query",), f"{rule}; got {got}"))
        if self.joined and self.query is None:
            rule = "is needed where there is joined, to say how"
            raise FaultsError(Fault(("query",), f"{rule}; got null"))
        return self


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
        if value is None and columns is not None and "survey" in columns.not_there:
            msg = "is needed where columns.survey is null: 'csat', 'nps' or 'ces'; got null"
            raise ValueError(msg)
        return value


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
        " and goes on; raise stops. Numbers above 1e15 or below -1e15 break it too: they are faults,"
        " and sums of them would be infinite",
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
