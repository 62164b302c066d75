"""Campaign profit, against numeric quadrature of the paper's integral and sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from churnkit.errors import ParameterError
from churnkit.evaluation.profit import (
    BestContact,
    RetentionCampaign,
    best_share_to_contact,
    empc,
    profit_curve,
)

ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=1, max_size=40)
CAMPAIGNS = st.builds(
    RetentionCampaign,
    lifetime_value=st.floats(50, 500),
    incentive_cost=st.floats(0, 40),
    contact_cost=st.floats(0, 20),
    save_rate_alpha=st.floats(1, 10),
    save_rate_beta=st.floats(1, 20),
)


def columns(rows):
    """Return labels and probabilities."""
    return np.array([y for y, _ in rows]), np.array([p for _, p in rows]) / 20


def profit_at(save_rate, churned, probability, campaign):
    """Return the profit per customer at the best of all thresholds, tried one by one."""
    profits = [0.0]
    for threshold in np.unique(probability):
        contacted = churned[probability >= threshold]
        churners = contacted.sum()
        profits.append(
            save_rate * churners * (campaign.lifetime_value - campaign.incentive_cost)
            - campaign.incentive_cost * (contacted.size - churners)
            - campaign.contact_cost * contacted.size
        )
    return max(profits) / churned.size


def quadrature(churned, probability, campaign):
    """Integrate over the save rate numerically, as the paper writes it."""
    density = stats.beta(campaign.save_rate_alpha, campaign.save_rate_beta).pdf
    value, _ = integrate.quad(
        lambda rate: profit_at(rate, churned, probability, campaign) * density(rate),
        0.0,
        1.0,
        limit=500,
        epsabs=1e-7,
    )
    return value


def test_empc_of_the_published_example():
    """3.7737 on the seeded sample, the number that two independent packages give."""
    rng = np.random.default_rng(0)
    probability = rng.beta(1, 5, 10_000)
    churned = rng.random(10_000) < probability

    assert empc(churned, probability) == pytest.approx(3.7737, abs=5e-5)


@pytest.mark.parametrize(
    "campaign",
    [
        RetentionCampaign(),
        RetentionCampaign(lifetime_value=60, incentive_cost=20, contact_cost=5),
        RetentionCampaign(save_rate_alpha=1, save_rate_beta=1),
        RetentionCampaign(incentive_cost=0, contact_cost=0),
        RetentionCampaign(lifetime_value=30, incentive_cost=25, contact_cost=6),
    ],
)
@pytest.mark.parametrize("decimals", [1, 6], ids=["tied", "distinct"])
def test_empc_agrees_with_quadrature(campaign, decimals):
    """Every threshold tried at every save rate, integrated numerically."""
    rng = np.random.default_rng(4)
    probability = rng.beta(1, 3, 80).round(decimals)
    churned = rng.random(80) < probability

    value = empc(churned, probability, campaign=campaign)

    assert value == pytest.approx(quadrature(churned, probability, campaign), abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(ROWS, CAMPAIGNS)
def test_empc_agrees_with_quadrature_on_anything(rows, campaign):
    """Also on tiny samples, one class, all tied, and odd campaigns."""
    churned, probability = columns(rows)

    value = empc(churned, probability, campaign=campaign)

    assert value == pytest.approx(quadrature(churned, probability, campaign), abs=1e-3)


@given(ROWS, CAMPAIGNS)
def test_knowing_more_earns_more(rows, campaign):
    """Nothing <= one threshold <= a threshold per save rate <= knowing who churns."""
    churned, probability = columns(rows)

    fixed = best_share_to_contact(churned, probability, campaign=campaign).profit
    adapted = empc(churned, probability, campaign=campaign)
    perfect = empc(churned, churned.astype(float), campaign=campaign)

    assert 0.0 <= fixed <= adapted + 1e-9
    assert adapted <= perfect + 1e-9


def test_empc_by_hand():
    """Half churn. Known: 0.5 * (0.3 * 190 - 1) = 28. Unknown: the 11 wasted on each other half."""
    churned = np.array([1, 0] * 50)

    known = empc(churned, churned.astype(float))
    unknown = empc(churned, np.full(100, 0.5))

    assert known == pytest.approx(28.0, abs=1e-6)
    assert unknown == pytest.approx(28.0 - 5.5, abs=1e-2)
    assert unknown > 28.0 - 5.5


def test_empc_with_one_class():
    """Nobody to save earns nothing; everybody to save earns the mean save rate's worth."""
    assert empc([0, 0], [0.2, 0.4]) == 0.0
    assert empc([1, 1], [0.2, 0.4]) == pytest.approx(56.0, abs=1e-6)


def test_profit_curve_by_hand():
    """A churner brings 0.3 * 190 - 1 = 56, another customer costs 11; per customer of four."""
    curve = profit_curve([1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1], shares=[0, 0.25, 0.375, 0.5, 0.75, 1])

    assert curve["profit"] == pytest.approx([0, 14, 12.625, 11.25, 25.25, 22.5])
    assert curve["threshold"].tolist() == [0.9, 0.9, 0.6, 0.6, 0.4, 0.1]


def test_profit_curve_has_every_percent_by_default():
    """From nobody to everybody, each threshold the lowest probability contacted."""
    probability = np.linspace(1, 0, 100)

    curve = profit_curve([1, 0] * 50, probability)

    assert curve["share"] == pytest.approx(np.arange(101) / 100)
    assert curve["threshold"].tolist() == [1.0, *probability.tolist()]


@given(ROWS, CAMPAIGNS)
def test_no_share_earns_more_than_the_best(rows, campaign):
    """The best share is on the curve, and nothing on the curve is above it."""
    churned, probability = columns(rows)

    best = best_share_to_contact(churned, probability, campaign=campaign)
    curve = profit_curve(churned, probability, campaign=campaign)
    there = profit_curve(churned, probability, shares=[best.share], campaign=campaign)

    assert curve["profit"].max() <= best.profit + 1e-9
    assert there["profit"][0] == pytest.approx(best.profit)
    if best.threshold is not None:
        assert (probability >= best.threshold).mean() == pytest.approx(best.share)


def test_best_share_to_contact_by_hand():
    """Both churners pay for the stranger between them; the last customer would only cost."""
    best = best_share_to_contact([1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1])

    assert (best.share, best.threshold) == (0.75, 0.4)
    assert best.profit == pytest.approx((56 - 11 + 56) / 4)


def test_contacting_nobody_may_be_best():
    """With no churner each contact is a loss: no threshold at all."""
    best = best_share_to_contact([0, 0, 0], [0.9, 0.6, 0.4])

    assert best == BestContact(share=0.0, threshold=None, profit=0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"contact_cost": -1.0}, r"contact_cost must be finite and at least 0; got -1.0"),
        ({"incentive_cost": np.nan}, r"incentive_cost must be finite and at least 0; got nan"),
        (
            {"lifetime_value": 10.0},
            r"lifetime_value must be finite, above incentive_cost \(10.0\); got 10.0",
        ),
        ({"save_rate_alpha": 0.0}, r"save_rate_alpha must be finite and positive; got 0.0"),
        ({"save_rate_beta": np.inf}, r"save_rate_beta must be finite and positive; got inf"),
    ],
)
def test_refuses_a_campaign_that_cannot_be(options, message):
    """The message names the argument, the rule and the value given."""
    with pytest.raises(ParameterError, match=message):
        RetentionCampaign(**options)


def test_refuses_shares_outside_the_base():
    """A share in percent was meant as a fraction."""
    with pytest.raises(ParameterError, match=r"shares must lie in \[0, 1\]; got 5.0 at position 1"):
        profit_curve([1, 0], [0.2, 0.1], shares=[0.5, 5])
