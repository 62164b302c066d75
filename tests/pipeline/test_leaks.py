"""Features that know more than they should are named when a model is trained."""

from __future__ import annotations

import logging
from copy import deepcopy
from typing import ClassVar

import narwhals as nw
import pytest

import churnkit
from churnkit.features import history
from churnkit.features.build import FEATURE_BUILDERS, Aggregation
from churnkit.features.phrases import Phrase
from churnkit.pipeline import leaks


class OrdersEver:
    """A builder whose feature counts what a column says of the customer's whole life."""

    tables = ("orders",)
    feature_names = ("orders_ever",)
    phrases: ClassVar[dict[str, Phrase]] = {"orders_ever": Phrase(text="{value} orders ever")}

    def build(self, known):
        """Take the largest count that any known row carries."""
        ever = nw.col("ever").cast(nw.Float64).max()
        return [Aggregation(rows=known["orders"], aggregates={"orders_ever": ever})]


@pytest.fixture
def leaking(monkeypatch):
    """Let the order table carry a count over all rows, later ones too, and a feature use it."""
    honest = history.order_table

    def order_table(lines, **options):
        orders = honest(lines, **options)
        return orders.with_columns(ever=nw.col("is_order").sum().over("customer_id"))

    monkeypatch.setattr(history, "order_table", order_table)
    monkeypatch.setitem(FEATURE_BUILDERS._factories, "orders_ever", OrdersEver)


def test_a_feature_that_sees_the_future_is_named(shop, workplace, leaking, caplog):
    """It is in the log and among the cautions that go with the model; the others are not."""
    config = deepcopy(shop.config)
    config["features"] = {"rfm": {"windows_days": [30, 90]}, "orders_ever": {}}

    with caplog.at_level(logging.WARNING, logger="churnkit"):
        trained = churnkit.train(config)

    said = (
        "feature orders_ever: its value at 2023-09-22 changes when later orders arrive;"
        " it sees the future"
    )
    assert said in caplog.messages
    about_features = [c for c in trained.notes["cautions"] if c.startswith("feature")]
    assert said in about_features
    assert all("orders_ever" in caution for caution in about_features)


def test_the_packages_own_features_see_nothing_later(shop):
    """On orders with returns and rejected rows no feature is named."""
    assert not [c for c in shop.trained.notes["cautions"] if "sees the future" in c]


def test_many_features_that_know_the_outcome_are_named_in_one_warning(
    shop, workplace, monkeypatch, caplog
):
    """Each by its name and AUC, the surest first, so that twelve warnings do not hide the others."""
    found = {"visits_30d": 0.98, "members_left": 0.9991, "orders": 0.98}
    monkeypatch.setattr(leaks, "implausible_features", lambda *_: found)
    monkeypatch.setattr(leaks, "features_that_see_the_future", lambda *_, **__: ("orders", "spend"))

    with caplog.at_level(logging.WARNING, logger="churnkit"):
        trained = churnkit.train(shop.config)

    said = [
        "features members_left (AUC 0.999), orders (AUC 0.980), visits_30d (AUC 0.980): each alone"
        " tells who churned; do they know the outcome?",
        "features orders, spend: their values at 2023-09-22 change when later orders arrive; they see"
        " the future",
    ]
    assert [m for m in caplog.messages if m.startswith("feature")] == said
    assert [c for c in trained.notes["cautions"] if c.startswith("feature")] == said
