"""What drives churn, over everybody and for single customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import churnkit
from churnkit.errors import DataError
from churnkit.models.base import FeatureMatrix
from churnkit.models.bundle import load_bundle


@pytest.fixture(scope="module")
def explained(shop, tmp_path_factory):
    """Give the explanation of everybody and of one customer, with the file of contributions."""
    return churnkit.explain(
        shop.config,
        model=shop.bundle,
        customers=["last-instant-before"],
        output=tmp_path_factory.mktemp("explained") / "why.parquet",
    )


def test_contributions_add_up_to_the_models_log_odds(shop, explained):
    """Base and contributions of every scored customer are the learner's prediction from its features."""
    bundle = load_bundle(shop.bundle)
    table = pd.read_parquet(explained.output).set_index("customer_id")
    features = churnkit.build_features(shop.config).to_pandas().loc[table.index]
    matrix = FeatureMatrix(
        names=bundle.feature_names,
        values=features[list(bundle.feature_names)].to_numpy(dtype=np.float32),
    )

    raw = bundle.models.churn.learner.predict_raw(matrix)

    assert np.allclose(table.sum(axis=1), raw, atol=1e-4)


def test_everybody_scored_is_explained(explained, scored):
    """The file holds the population, nobody else."""
    table = pd.read_parquet(explained.output)

    assert set(table["customer_id"]) == set(scored.index[scored["status"] == "scored"])


def test_drivers_are_mean_absolute_contributions(explained):
    """The strongest first, each with its phrase."""
    table = pd.read_parquet(explained.output).drop(columns=["customer_id", "base"])
    expected = table.abs().mean().sort_values(ascending=False)

    drivers = explained.to_pandas()

    assert drivers["mean_contribution"].tolist() == pytest.approx(expected.tolist())
    assert dict(zip(drivers["feature"], drivers["mean_contribution"], strict=True)) == (
        pytest.approx(expected.to_dict())
    )
    assert drivers["says"].str.contains(" ").all()


def test_reasons_of_the_score_table_are_the_strongest_of_these(explained, scored):
    """One customer's explanation begins, among what raises the risk, with the table's reasons."""
    rows = explained.customers["last-instant-before"]
    raising = [row for row in rows if row["contribution"] > 0]
    row = scored.loc["last-instant-before"]

    for i, reason in enumerate(raising[:3], start=1):
        assert row[f"reason_{i}_feature"] == reason["feature"]
        assert row[f"reason_{i}"] == reason["says"]
        assert row[f"reason_{i}_contribution"] == pytest.approx(reason["contribution"])


@pytest.mark.parametrize("customer", ["nobody", "long-ago", "only-returns"])
def test_customers_outside_the_population_cannot_be_explained(shop, customer):
    """Who has no prediction has no reasons, and is named."""
    with pytest.raises(DataError, match=rf"in the population as of 2024-01-20: {customer}$"):
        churnkit.explain(shop.config, model=shop.bundle, customers=[customer])


def test_nobody_in_the_population(shop):
    """At a day on which nobody is active there is nothing to explain."""
    with pytest.raises(DataError, match=r"explain: nobody is in the population"):
        churnkit.explain(shop.config, model=shop.bundle, as_of="2022-09-01", tables=old(shop))


def old(shop):
    """Return one customer whose only order is too old for the population."""
    row = shop.orders[shop.orders["customer_id"] == "long-ago"]
    return {"orders": row.assign(ts="2022-01-01T10:00:00")}
