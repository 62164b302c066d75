"""Contributions that add up, and the strongest of them in words."""

from __future__ import annotations

import numpy as np
import pytest

from churnkit.errors import ModelGuardError
from churnkit.features.build import FEATURE_BUILDERS
from churnkit.features.phrases import Phrase
from churnkit.models.base import FeatureMatrix
from churnkit.models.learner import MODELS
from churnkit.reasons import Contributions, Reasons, contributions, phrases_of, typical_values

NAMES = ("days", "orders", "share")
PHRASES = {
    "days": Phrase(text="no order for {value} days"),
    "orders": Phrase(text="{value} orders so far"),
    "share": Phrase(text="{value} of spend returned", percent=True),
}


class Linear:
    """A learner whose Shapley values are known: a weighted sum of independent, centred features."""

    def __init__(self, weights, *, off=0.0):
        self.weights, self.off = np.asarray(weights), off

    def predict_raw(self, features):
        """Return the sum and a constant."""
        return features.values @ self.weights + 0.5 + self.off

    def contributions_method(self, rows):
        """Return how."""
        return f"by hand, {rows} rows"

    def contributions(self, features):
        """Return each product, and the constant as base."""
        return np.column_stack([features.values * self.weights, np.full(len(features.values), 0.5)])


def matrix(rows):
    """Return a feature matrix with the names of these tests."""
    return FeatureMatrix(names=NAMES, values=np.asarray(rows, dtype=np.float32))


def test_contributions_and_base_add_up_to_the_raw_prediction():
    """The base is taken off, and what is left adds up with it."""
    learner, features = Linear([0.1, -0.2, 1.0]), matrix([[10, 1, 0.5], [0, 2, 0.25]])

    found = contributions(learner, features)

    assert found.base == 0.5
    assert found.method == "by hand, 2 rows"
    assert found.base + found.values.sum(axis=1) == pytest.approx(learner.predict_raw(features))


def test_contributions_that_do_not_add_up_are_refused():
    """A learner whose shares miss its own prediction cannot be explained."""
    with pytest.raises(ModelGuardError, match=r"add up to the raw prediction; off by 0\.01"):
        contributions(Linear([0.1, -0.2, 1.0], off=0.01), matrix([[1, 1, 1]]))


def test_lightgbm_contributions_are_exact():
    """Against brute force: a tree of depth one puts everything on the feature that it splits by."""
    rng = np.random.default_rng(5)
    features = matrix(rng.normal(size=(400, 3)))
    target = (features.values[:, 1] > 0).astype(np.float64)
    stump = {"num_leaves": 2, "feature_fraction": 1.0, "bagging_freq": 0, "min_data_in_leaf": 20}
    learner = MODELS["lightgbm"](params=stump, seed=1, threads=1).fit(
        features, target, objective="binary", rounds=5
    )

    found = contributions(learner, features)

    assert np.allclose(found.values[:, [0, 2]], 0.0)
    assert np.allclose(found.base + found.values[:, 1], learner.predict_raw(features), atol=1e-6)


def test_importance_is_mean_absolute_contribution():
    """The strongest first, signs not cancelling."""
    values = np.array([[1.0, -0.5, 0.0], [-1.0, -0.5, 0.1]])

    ranked = Contributions(feature_names=NAMES, values=values, base=0.0).importance()

    assert list(ranked.items()) == [("days", 1.0), ("orders", 0.5), ("share", 0.05)]


def test_importance_of_nobody_is_zero():
    """Without rows nothing is important."""
    nobody = Contributions(feature_names=NAMES, values=np.zeros((0, 3)), base=0.0)

    assert set(nobody.importance().values()) == {0.0}


def reasons_of(values, weights, *, count=2, typical=None):
    """Return the reason columns of one customer."""
    explained = Contributions(feature_names=NAMES, values=np.array([weights]), base=0.0)
    made = Reasons(phrases=PHRASES, typical=typical or {}, count=count)
    return {k: v[0] for k, v in made.columns(matrix([values]), explained).items()}


def test_strongest_reasons_in_words():
    """The value, what is typical of those who stay, the column and its share."""
    found = reasons_of([143, 2, 0.125], [0.9, -2.0, 0.3], typical={"days": 31.0})

    assert found == {
        "reason_1": "no order for 143 days (customers who stay: 31)",
        "reason_1_feature": "days",
        "reason_1_contribution": 0.9,
        "reason_2": "12 % of spend returned",
        "reason_2_feature": "share",
        "reason_2_contribution": 0.3,
    }


def test_what_lowers_the_risk_is_no_reason():
    """Negative and zero contributions leave their places empty."""
    found = reasons_of([1, 2, 0.1], [-0.1, 0.0, -3.0])

    assert set(found.values()) == {None}


def test_more_reasons_than_features():
    """Places beyond the features are there and empty."""
    found = reasons_of([1, 2, 0.1], [0.1, 0.2, 0.3], count=4)

    assert found["reason_3_feature"] == "days"
    assert found["reason_4"] is found["reason_4_feature"] is None


def test_unknown_values_are_no_reasons():
    """A missing value tells nobody anything: the next feature is the reason."""
    found = reasons_of([np.nan, 2, 0.1], [0.5, 0.0, 0.0])

    assert found["reason_1"] is None


def test_what_is_typical_is_no_reason():
    """The next strongest takes the place of a value that looks like that of customers who stay."""
    found = reasons_of([31.2, 2, 0.1], [0.9, 0.3, 0.0], typical={"days": 31.0, "orders": 7.0})

    assert found["reason_1"] == "2 orders so far (customers who stay: 7)"
    assert found["reason_2"] is None


def test_what_contradicts_common_sense_is_no_reason():
    """Less silence than usual may raise the risk in the model, and is not said."""
    silent = {**PHRASES, "days": Phrase(text="no order for {value} days", risk="high")}
    made = Reasons(phrases=silent, typical={"days": 31.0}, count=3)

    found = made.columns(matrix([[5, 2, 0.125]]), one([0.9, 0.4, 0.2]))

    assert found["reason_1"] == ["2 orders so far"]
    assert found["reason_3"] == [None]


def test_what_hardly_moves_the_chance_is_no_reason():
    """Half a percentage point at most."""
    found = reasons_of([143, 2, 0.125], [0.019, 0.02, 0.0])

    assert found["reason_1_feature"] == "orders"
    assert found["reason_2"] is None


def test_the_next_member_speaks_for_a_group():
    """The contribution is still that of all members."""
    made = Reasons(
        phrases=PHRASES, typical={"days": 143.0}, count=1, groups={"days": "days", "share": "days"}
    )

    found = made.columns(matrix([[143, 2, 0.125]]), one([0.3, 0.0, 0.2]))

    assert found["reason_1"] == ["12 % of spend returned"]
    assert found["reason_1_contribution"] == [pytest.approx(0.5)]


def test_parts_hold_every_group_once():
    """Reasons or not, the largest first, adding up to all contributions."""
    made = grouped()
    features, weights = matrix([[143, 2, 0.125]]), np.array([[0.3, -0.4, 0.2]])

    found = made.parts(features, weights)

    assert [(part.feature, part.features) for part in found] == [
        ("days", ("days", "share")),
        ("orders", ("orders",)),
    ]
    assert [part.contribution for part in found] == [pytest.approx(0.5), pytest.approx(-0.4)]
    assert found[0].says == "no order for 143 days"


def test_typical_values_are_middles_and_most_frequent_words():
    """Over known values, None where there are none."""
    values = np.array([[1.0, 2.0, np.nan], [3.0, 2.0, np.nan], [np.nan, 0.0, np.nan]])
    said = PHRASES | {"orders": Phrase(text="on plan {value}", words=("a", "b", "c"))}

    found = typical_values(values, names=NAMES, phrases=said)

    assert found == {"days": 2.0, "orders": 2.0, "share": None}


def test_no_reasons_wanted():
    """With a count of 0 there are no columns."""
    assert reasons_of([1, 2, 0.1], [0.1, 0.2, 0.3], count=0) == {}


def test_every_feature_has_a_phrase():
    """No builder lets the bare name of a column reach people."""
    builders = [FEATURE_BUILDERS[name]() for name in FEATURE_BUILDERS.names()]
    phrases = phrases_of(builders)

    names = {name for builder in builders for name in builder.feature_names}
    assert set(phrases) == names
    for value in (0.0, 1.0, 2.0):
        said = {name: phrase.say(value) for name, phrase in phrases.items() if not phrase.words}
        assert not [n for n, words in said.items() if (n in words and "_" in n) or "-" in words]
    assert len({phrase.label for phrase in phrases.values()}) == len(phrases)


def grouped():
    """Return reasons in which days and share say the same."""
    return Reasons(phrases=PHRASES, typical={}, count=3, groups={"days": "days", "share": "days"})


def one(weights):
    """Return the contributions of one customer."""
    return Contributions(feature_names=NAMES, values=np.array([weights]), base=0.0)


def test_correlated_features_are_one_reason():
    """Their contributions are added, and the stronger is said."""
    found = grouped().columns(matrix([[143, 2, 0.125]]), one([0.3, 0.4, 0.2]))

    assert found["reason_1"] == ["no order for 143 days"]
    assert found["reason_1_contribution"] == [pytest.approx(0.5)]
    assert found["reason_2_feature"] == ["orders"]
    assert found["reason_3"] == [None]


def test_a_group_that_keeps_the_customer_is_no_reason_for_risk():
    """Though one member of it alone would raise the risk."""
    features, weights = matrix([[143, 2, 0.125]]), np.array([[0.3, 0.4, -0.9]])

    raising = grouped().of_customer(features, weights, raising=True)
    keeping = grouped().of_customer(features, weights, raising=False)

    assert [(r.feature, r.contribution) for r in raising] == [("orders", 0.4)]
    assert [(r.feature, round(r.contribution, 6)) for r in keeping] == [("share", -0.6)]
    assert keeping[0].says == "12 % of spend returned"
    assert keeping[0].to_dict()["features"] == ["days", "share"]
