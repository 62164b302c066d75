"""Contracts of the tables beside the orders: events, subscriptions, service, surveys, rewards, costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from churnkit.data.contracts import CONTRACTS, Check, Column, TableContract
from churnkit.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SURVEYS", "WRONG_SCALE_SHARE"]

SURVEYS = ("csat", "nps", "ces")
"""Kinds of survey that have a formula."""

WRONG_SCALE_SHARE = 0.1
"""With more of a survey's answers off its scale than this, none of them can be trusted."""

CUSTOMER = Column(name="customer_id", kind="id", required=True, nullable=False)


def _when(name: str) -> Column:
    return Column(name=name, kind="time", required=True, nullable=False)


def _maybe(name: str) -> Column:
    return Column(name=name, kind="time")


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, kind="text") for name in names)


def _in_order(earlier: str, later: str) -> Check:
    """Return the check that one time of a row is not before another."""
    return Check(
        name=f"{later}_before_{earlier}",
        sentence=f"{later} is before {earlier}",
        broken=nw.col(f"{later}_us") < nw.col(f"{earlier}_us"),
        shown_by=("customer_id", later),
    )


@CONTRACTS.register("events")
def _events() -> TableContract:
    """Visits, opens, clicks and carts: what customers did beside ordering."""
    kind = Column(name="event_type", kind="text", required=True, nullable=False)
    return TableContract(
        name="events",
        columns=(
            CUSTOMER,
            _when("ts"),
            kind,
            *_text("channel", "campaign_id"),
            Column(name="session_id", kind="id"),
            *_text("product_id"),
            Column(name="value", kind="number"),
        ),
    )


@CONTRACTS.register("subscriptions")
def _subscriptions() -> TableContract:
    """Contracts with start, end and monthly revenue; several of one customer may run at once."""
    return TableContract(
        name="subscriptions",
        columns=(
            CUSTOMER,
            _when("started_at"),
            Column(name="ended_at", kind="time", required=True),
            Column(name="mrr", kind="number", required=True, nullable=False),
            Column(name="subscription_id", kind="id"),
            *_text("plan"),
            Column(name="seats", kind="number"),
            Column(name="billing_months", kind="number"),
            _maybe("payment_failed_at"),
        ),
        extra=_subscription_checks,
    )


def _subscription_checks(mapped: frozenset[str], limit_us: int) -> list[Check]:
    checks = [
        _in_order("started_at", "ended_at"),
        Check(
            name="mrr_negative",
            sentence="mrr is negative",
            broken=nw.col("mrr") < 0,
            shown_by=("customer_id", "mrr"),
        ),
    ]
    for name, sentence, broken in (
        ("seats", "negative", nw.col("seats") < 0),
        ("billing_months", "not above 0", nw.col("billing_months") <= 0),
    ):
        if name in mapped:
            wrong = "negative" if name == "seats" else "not_positive"
            checks.append(
                Check(
                    name=f"{name}_{wrong}",
                    sentence=f"{name} is {sentence}",
                    broken=broken,
                    shown_by=("customer_id", name),
                )
            )
    if "payment_failed_at" in mapped:
        checks.append(_in_order("started_at", "payment_failed_at"))
    if "subscription_id" in mapped:
        # A period that outlasts the start of the next is set aside, so that what is left of a
        # subscription can have no overlap at all: each period ends before every later one begins.
        started, ended = nw.col("started_at_us"), nw.col("ended_at_us")
        following = started.shift(-1).over(
            "subscription_id", order_by=("started_at_us", "ended_at_us")
        )
        next_us = nw.when(following < limit_us).then(following)
        known = nw.when(started < limit_us).then(started)
        # Nulls come first: beside an open period, the next may be an empty one of the same start,
        # as a change of plan on the first day leaves it.
        lasting = nw.when(ended == started).then(nw.lit(0)).otherwise(nw.lit(1))
        beside = lasting.sum().over("subscription_id", "started_at_us") > 1
        is_followed = (known.max().over("subscription_id") > started) | beside
        outlasts = (ended.is_null() & is_followed) | (ended > next_us)
        checks.append(
            Check(
                name="subscription_overlap",
                sentence="the period overlaps the next one of the same subscription_id",
                broken=~nw.col("subscription_id").is_null() & ~next_us.is_null() & outlasts,
                shown_by=("subscription_id", "customer_id"),
            )
        )
    return checks


@CONTRACTS.register("support_tickets")
def _support_tickets() -> TableContract:
    """Contacts to support."""
    later = ("first_response_at", "resolved_at")
    return TableContract(
        name="support_tickets",
        columns=(
            CUSTOMER,
            _when("opened_at"),
            *(_maybe(name) for name in later),
            *_text("channel", "priority"),
        ),
        extra=lambda mapped, _: [_in_order("opened_at", name) for name in later if name in mapped],
    )


@CONTRACTS.register("surveys")
def _surveys(*, csat_options: int = 5, ces_options: int = 7) -> TableContract:
    """Answers to surveys, each on the scale of its kind; the options are those of the scales."""
    for name, options in (("csat_options", csat_options), ("ces_options", ces_options)):
        if options < 2:
            msg = f"surveys: {name} must be >= 2; got {options!r}"
            raise ParameterError(msg)
    return TableContract(
        name="surveys",
        columns=(
            CUSTOMER,
            _when("ts"),
            Column(name="survey", kind="text", required=True, nullable=False),
            Column(name="score", kind="number", required=True, nullable=False),
        ),
        extra=lambda _, limit_us: _survey_checks(csat_options, ces_options, limit_us=limit_us),
    )


def _survey_checks(csat_options: int, ces_options: int, *, limit_us: int) -> list[Check]:
    survey, score = nw.col("survey"), nw.col("score")
    top = nw.when(survey == "nps").then(nw.lit(10)).otherwise(
        nw.when(survey == "csat").then(nw.lit(csat_options)).otherwise(nw.lit(ces_options))
    )  # fmt: skip
    low = nw.when(survey == "nps").then(nw.lit(0)).otherwise(nw.lit(1))
    off = (score < low) | (score > top) | (score != score.floor())
    marked = nw.when(off).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
    known = nw.when(nw.col("ts_us") < limit_us).then(marked)
    scales = f"csat 1 to {csat_options}, nps 0 to 10, ces 1 to {ces_options}"
    return [
        Check(
            name="survey_unknown",
            sentence=f"survey is none of {', '.join(SURVEYS)}",
            broken=~survey.is_in(SURVEYS),
            shown_by=("survey", "customer_id"),
        ),
        Check(
            name="score_off_scale",
            sentence=f"score is not on the scale of its survey ({scales})",
            broken=survey.is_in(SURVEYS) & off,
            shown_by=("score", "customer_id"),
        ),
        # Keeping the answers that happen to fit would make a mean of the lower half of a scale.
        Check(
            name="scale_mismatch",
            sentence=(
                "the survey is on another scale: more than"
                f" {100 * WRONG_SCALE_SHARE:.0f} % of its answers do not fit ({scales})"
            ),
            broken=survey.is_in(SURVEYS) & (known.mean().over("survey") > WRONG_SCALE_SHARE),
            shown_by=("survey", "customer_id"),
        ),
    ]


@CONTRACTS.register("rewards")
def _rewards() -> TableContract:
    """Loyalty rewards, issued and perhaps redeemed."""
    return TableContract(
        name="rewards",
        columns=(
            CUSTOMER,
            _when("issued_at"),
            _maybe("redeemed_at"),
            Column(name="value", kind="number"),
        ),
        extra=lambda mapped, _: (
            [_in_order("issued_at", "redeemed_at")] if "redeemed_at" in mapped else []
        ),
    )


@CONTRACTS.register("customers")
def _customers(attributes: Sequence[str] = ()) -> TableContract:
    """Attributes of customers, one row each; the attributes are text columns under any names.

    ``since`` says from when on the row is known; without it the rows are taken to be known always.
    Of several rows of a customer the one known first is kept.
    """

    def checks(mapped: frozenset[str], _: int) -> list[Check]:
        # The row known first is kept: one that is known later must not take its place before that.
        dated, row = "since" in mapped, nw.col("customer_id")
        order = ("since_us", *attributes) if dated else ("customer_id", *attributes)
        counted = nw.when(~nw.col("since_us").is_null()).then(row) if dated else row
        return [
            Check(
                name="customer_repeated",
                sentence="the customer has another row",
                broken=counted.cum_count().over("customer_id", order_by=order) > 1,
                shown_by=("customer_id",),
            )
        ]

    return TableContract(
        name="customers",
        columns=(
            CUSTOMER,
            Column(name="since", kind="time", nullable=False),
            *(Column(name=name, kind="text", required=True) for name in attributes),
        ),
        extra=checks,
    )


@CONTRACTS.register("marketing_costs")
def _marketing_costs() -> TableContract:
    """Money spent on sales and marketing; credits are negative."""
    return TableContract(
        name="marketing_costs",
        columns=(
            _when("ts"),
            Column(name="amount", kind="number", required=True, nullable=False),
            *_text("channel"),
        ),
    )
