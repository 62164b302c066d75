"""What drives churn, over everybody and for single customers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import churnkit
from churnkit.errors import DataError, ParameterError
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
    """The strongest first, each with its phrase and an interval around it."""
    table = pd.read_parquet(explained.output).drop(columns=["customer_id", "base"])
    expected = table.abs().mean().sort_values(ascending=False)

    drivers = explained.to_pandas()

    assert drivers["mean_contribution"].tolist() == pytest.approx(expected.tolist())
    assert dict(zip(drivers["feature"], drivers["mean_contribution"], strict=True)) == (
        pytest.approx(expected.to_dict())
    )
    assert drivers["says"].str.contains(" ").all()
    assert (drivers["low"] <= drivers["mean_contribution"]).all()
    assert (drivers["mean_contribution"] <= drivers["high"]).all()


def test_groups_are_the_sums_of_their_features(shop, explained):
    """As the reasons group them: every feature in one group, named after its strongest."""
    table = pd.read_parquet(explained.output).drop(columns=["customer_id", "base"])
    drivers = explained.to_pandas().set_index("feature")["mean_contribution"]
    bundle = load_bundle(shop.bundle)

    groups = explained.to_pandas("groups")

    assert sorted(name for names in groups["features"] for name in names) == sorted(table.columns)
    assert {tuple(sorted(names)) for names in groups["features"]} == {
        tuple(sorted(name for name, mine in bundle.groups.items() if mine == group))
        for group in set(bundle.groups.values())
    }
    for row in groups.itertuples():
        assert row.mean_contribution == pytest.approx(table[row.features].sum(axis=1).abs().mean())
        assert row.feature == row.features[0] == drivers[row.features].idxmax()
    assert groups["mean_contribution"].is_monotonic_decreasing


def test_a_page_says_what_the_score_table_says(explained, scored):
    """Probability, band, rank, value and the strongest reasons of one customer."""
    page = explained.customers["last-instant-before"]
    row = scored.loc["last-instant-before"]

    assert page.churn_probability == pytest.approx(row["churn_probability"])
    assert page.risk_band == row["risk_band"]
    assert page.risk_rank == row["risk_rank"]
    for name in ("expected_orders", "expected_spend", "expected_ltv", "value_at_risk", "p_alive"):
        assert page.value[name] == pytest.approx(row[name]), name
    for i, reason in enumerate(page.raises[:3], start=1):
        assert row[f"reason_{i}_feature"] == reason.feature
        assert row[f"reason_{i}"] == reason.says
        assert row[f"reason_{i}_contribution"] == pytest.approx(reason.contribution)
    for name in ("orders", "average_order_value", "historical_ltv", "rfm_segment"):
        assert page.formulas[name] == row[name]
    assert page.orders == [("2024-01-19", 25.0)]


def test_a_page_adds_up_to_the_probability(explained):
    """From the average customer over every feature, the purchase model and calibration."""
    page = explained.customers["last-instant-before"]
    steps = page.steps

    features = sum(row["probability_points"] for row in page.contributions)

    assert features == pytest.approx(steps["features"])
    total = 100 * steps["base_probability"] + features
    total += steps["purchase_model"] + steps["calibration"]
    assert total == pytest.approx(100 * page.churn_probability)


def test_reasons_and_what_keeps_are_apart(explained):
    """No feature is on both sides, and each side has its sign."""
    page = explained.customers["last-instant-before"]

    assert all(reason.contribution > 0 for reason in page.raises)
    assert all(reason.contribution < 0 for reason in page.keeps)
    raising = {name for reason in page.raises for name in reason.features}
    assert not raising & {name for reason in page.keeps for name in reason.features}


def test_cohorts_count_everybody_once(explained, scored):
    """Customers by their strongest reason; means and sums are those of the score table."""
    cohorts = explained.to_pandas("cohorts")
    everybody = scored[scored["status"] == "scored"]

    assert cohorts["customers"].sum() == len(everybody) == explained.population
    assert cohorts["share"].sum() == pytest.approx(100)
    mean = np.average(cohorts["churn_probability"], weights=cohorts["customers"])
    assert mean == pytest.approx(everybody["churn_probability"].mean())
    assert cohorts["expected_spend"].sum() == pytest.approx(everybody["expected_spend"].sum())


def test_segments_are_the_bands_of_the_score_table(explained, scored):
    """The sample is everybody here, so the sizes are those of the bands."""
    sizes = explained.to_pandas("segments").groupby("segment")["customers"].first()

    assert sizes.to_dict() == scored["risk_band"].value_counts().to_dict()


def test_shap_values_add_up_on_every_scale(explained, scored):
    """To the learner's log-odds, to the final log-odds, and to the probability of the score table."""
    ids = list(explained.sample.customer_ids)
    p = scored.loc[ids, "churn_probability"].to_numpy()

    steps, weights = explained.sample.steps, explained.sample.contributions

    assert steps.probability == pytest.approx(p)
    assert steps.base + steps.parts(weights).sum(axis=1) == pytest.approx(np.log(p / (1 - p)))


def test_everything_is_in_the_json(explained):
    """Plain values, without the sample."""
    plain = json.loads(json.dumps(explained.to_dict(), allow_nan=False))

    assert plain["population"] == explained.population
    page = plain["customers"]["last-instant-before"]
    assert page["raises"][0]["says"] == explained.customers["last-instant-before"].raises[0].says
    assert {"what_if", "what_if_note", "past", "orders", "formulas", "steps"} <= set(page)
    assert plain["method"].startswith("LightGBM's pred_contrib (fewer than 2,500 rows)")


def test_changes_since_another_date_and_segments_by_rfm(shop):
    """The population of both dates is explained, and segments are those asked for."""
    found = churnkit.explain(shop.config, model=shop.bundle, compare="2023-11-01", by="rfm_segment")

    then = churnkit.explain(shop.config, model=shop.bundle, as_of="2023-11-01").to_pandas()
    before = then.set_index("feature")["mean_contribution"].to_dict()
    changes = found.to_pandas("changes").set_index("feature")
    assert changes["mean_contribution_then"].to_dict() == pytest.approx(before)
    assert found.compared_with == "2023-11-01"
    assert "champions" in set(found.to_pandas("segments")["segment"])


def test_spend_is_explained_too(shop, scored):
    """In logs of spend; nothing of it is a reason for risk."""
    found = churnkit.explain(shop.config, model=shop.bundle, target="spend")

    assert found.cohorts == []
    bundle = load_bundle(shop.bundle)
    sample = found.sample
    logs = np.log(bundle.models.spend.value(sample.matrix)[:, 0])
    np.testing.assert_allclose(sample.base + sample.contributions.sum(axis=1), logs, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "rfm_segmnt"}, "Did you mean 'rfm_segment'"),
        ({"by": "country"}, "Known: risk_band, rfm_segment"),
        ({"target": "value"}, "target must be churn or spend; got 'value'"),
        ({"compare": "june"}, "compare: must be a date"),
    ],
)
def test_wrong_options_are_refused(shop, options, said):
    """Each in one sentence with what is allowed."""
    with pytest.raises(ParameterError, match=said):
        churnkit.explain(shop.config, model=shop.bundle, **options)


@pytest.mark.parametrize("kind", ["drivers", "beeswarm", "dependence", "segments"])
def test_plots(explained, kind):
    """Every kind draws something with a title."""
    figure = explained.plot(kind)

    assert figure.layout.title.text
    assert len(figure.data) >= 1


def test_dependence_of_a_feature(explained):
    """A row for each bin of its values, all customers in them."""
    table = explained.dependence("days_since_last_order")

    assert table["customers"].sum() == explained.population
    assert list(table) == ["value", "customers", "mean", "low", "high"]


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda e: e.plot("drvers"), "Did you mean 'drivers'"),
        (lambda e: e.plot("changes"), "changes need another date"),
        (lambda e: e.plot("dependence", feature="order"), "feature must be one of the model's"),
        (lambda e: e.to_pandas("cohort"), "Did you mean 'cohorts'"),
        (lambda e: e.sample.to_shap(scale="odds"), "Known: learner, log_odds, probability"),
    ],
)
@pytest.mark.filterwarnings("ignore:The set_:PendingDeprecationWarning")
def test_what_there_is_not(explained, draw, said):
    """A wrong name is refused with the right ones."""
    with pytest.raises(ParameterError, match=said):
        draw(explained)


@pytest.mark.parametrize("customer", ["nobody", "long-ago", "only-returns"])
def test_customers_outside_the_population_cannot_be_explained(shop, customer):
    """Who has no prediction has no reasons, and is named."""
    with pytest.raises(DataError, match=rf"the population as of 2024-01-20.*: {customer}$"):
        churnkit.explain(shop.config, model=shop.bundle, customers=[customer])


def test_nobody_in_the_population(shop):
    """At a day on which nobody is active there is nothing to explain."""
    with pytest.raises(DataError, match=r"explain: nobody is in the population as of 2022-09-01"):
        churnkit.explain(shop.config, model=shop.bundle, as_of="2022-09-01", tables=old(shop))


def old(shop):
    """Return one customer whose only order is too old for the population."""
    row = shop.orders[shop.orders["customer_id"] == "long-ago"]
    return {"orders": row.assign(ts="2022-01-01T10:00:00")}


def test_customers_without_a_prediction_are_told_from_strangers(shop):
    """Who ordered long ago is known and has no prediction; who never ordered is not known."""
    with pytest.raises(
        DataError,
        match=r"^explain: no such customer in the population as of 2024-01-20: nobody; outside the"
        r" population as of 2024-01-20, .*: long-ago$",
    ):
        churnkit.explain(shop.config, model=shop.bundle, customers=["long-ago", "nobody"])


@pytest.mark.parametrize("asked", ["4711", 4711, np.int64(4711), [4711], ["4711"]])
def test_one_customer_may_be_asked_for_by_text_or_number(shop, asked):
    """An id alone is no sequence of letters, and a number is the text that tables hold."""
    with pytest.raises(DataError, match=r"as of 2024-01-20: 4711$"):
        churnkit.explain(shop.config, model=shop.bundle, customers=asked)
