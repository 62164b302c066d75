"""Monthly revenue kept and at risk, and the classical chances to leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import CensoredData, ecdf

from churnkit.data.windows import US_PER_DAY, Snapshot
from churnkit.evaluation.contract import mrr_metrics
from churnkit.models.base import FeatureMatrix, LabelledSnapshot
from churnkit.models.contract import (
    Contracts,
    ContractValue,
    Stays,
    fit_contract_value,
    stays_of,
)
from churnkit.models.survival import hazard_leaving, leaving_of_population, sbg_leaving

SNAPSHOT = Snapshot(cutoff=date(2024, 1, 1), observation_days=365, horizon_days=30)
MONTHS = 30 / (365.25 / 12)
NOBODY = Stays(
    customer=np.zeros(0, np.int64),
    days=np.zeros(0),
    ended=np.zeros(0, bool),
    entered=np.zeros(0),
)


def labelled(*, mrr, future_mrr, churned, spend, stays=NOBODY):
    """Return a snapshot of subscribers."""
    n = len(mrr)
    return LabelledSnapshot(
        snapshot=SNAPSHOT,
        customer_ids=np.arange(n).astype(object),
        base={},
        eligible=np.ones(n, bool),
        features=FeatureMatrix(names=("x",), values=np.zeros((n, 1), np.float32)),
        churned=np.array(churned),
        future_spend=np.array(spend),
        future_orders=np.zeros(n),
        contracts=Contracts(mrr=np.array(mrr), future_mrr=np.array(future_mrr), stays=stays),
    )


def test_shares_are_weighted_by_revenue_and_add_up_on_what_was_seen():
    """At the actual outcome the value gives back kept revenue and spend in total."""
    s = labelled(
        mrr=[100.0, 50.0, 50.0, 10.0],
        future_mrr=[80.0, 75.0, 0.0, 5.0],
        churned=[False, False, True, True],
        spend=[90.0, 60.0, 25.0, 8.0],
    )

    value = fit_contract_value([s])

    outcome = s.churned.astype(float)
    assert value.kept_by_staying == pytest.approx(130.0 / 150.0)
    assert value.kept_by_leaving == pytest.approx(5.0 / 60.0)
    assert value.retained(s.contracts.mrr, outcome).sum() == pytest.approx(135.0)
    assert value.revenue(s.contracts.mrr, outcome).sum() == pytest.approx(s.future_spend.sum())
    assert value.at_risk(s.contracts.mrr, outcome).sum() == pytest.approx(55.0)
    lost = value.revenue(s.contracts.mrr, 0 * outcome) - value.revenue(
        s.contracts.mrr, 0 * outcome + 1
    )
    assert value.lost_by_leaving(s.contracts.mrr) == pytest.approx(lost)
    assert ContractValue.from_dict(value.to_dict()) == value


def test_where_nobody_left_leaving_takes_everything():
    """Nothing is known of leavers: they keep nothing, and go half-way."""
    s = labelled(mrr=[10.0], future_mrr=[10.0], churned=[False], spend=[10.0 * MONTHS])

    value = fit_contract_value([s])

    assert (value.kept_by_leaving, value.paid_by_leaving) == (0.0, 0.5)
    assert fit_contract_value([]) is None


def test_metrics_of_monthly_revenue_by_hand():
    """Ten customers, of whom the one with the most at risk leaves and one pays less."""
    mrr = np.array([91.0] + [1.0] * 9)
    future = np.array([0.0] + [1.0] * 8 + [0.5])

    found = mrr_metrics(
        mrr,
        future_mrr=future,
        churned=[True] + [False] * 9,
        expected_mrr_retained=np.full(10, 0.9),
        mrr_at_risk=[45.0] + [0.5] * 9,
    )

    assert found == {
        "mrr.at_risk_share": pytest.approx(0.495),
        "mrr.lost_share": pytest.approx(0.91),
        "mrr.downgrade_share": pytest.approx(0.005),
        "mrr.retained_bias": pytest.approx(9.0 / 8.5 - 1.0),
        "mrr.top_decile_capture": pytest.approx(1.0),
    }


def random_stays(n=4000, seed=2):
    """Return stays with a hazard that falls with age, half of them cut off."""
    rng = np.random.default_rng(seed)
    life = rng.exponential(rng.choice([30.0, 400.0], n))
    seen = rng.uniform(0.0, 500.0, n)
    ended = life < seen
    customer = np.where(ended, -1, np.cumsum(~ended) - 1)
    return Stays(customer=customer, days=np.minimum(life, seen), ended=ended, entered=np.zeros(n))


def test_the_hazard_is_that_of_the_kaplan_meier_curve():
    """P(leaves within h | stayed t) is 1 - S(t + h) / S(t) of scipy's estimate."""
    stays = random_stays()
    sample = CensoredData(uncensored=stays.days[stays.ended], right=stays.days[~stays.ended])
    curve = ecdf(sample).sf

    tenure = np.array([0.0, 10.0, 50.0, 200.0, 350.0])
    found = hazard_leaving(stays)(tenure, within_days=30.0)

    expected = 1.0 - curve.evaluate(tenure + 30.0) / curve.evaluate(tenure)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_beyond_what_was_seen_the_hazard_is_that_of_all_ages():
    """The last stay under observation does not make everybody leave at its age."""
    stays = random_stays()

    found = hazard_leaving(stays)(np.array([2000.0]), within_days=30.0)

    rate = stays.ended.sum() / stays.days.sum()
    assert found == pytest.approx(1.0 - np.exp(-30.0 * rate))


def test_both_curves_are_calibrated_on_stays_like_those_they_saw():
    """Mean predicted chance against the true one of the mixture, within a tenth."""
    stays, horizon = random_stays(), 60.0
    n = int((~stays.ended).sum())
    tenure = stays.days[~stays.ended]
    weight = np.exp(-tenure / 30.0) / (np.exp(-tenure / 30.0) + np.exp(-tenure / 400.0))
    truth = 1.0 - (weight * np.exp(-horizon / 30.0) + (1.0 - weight) * np.exp(-horizon / 400.0))

    for fit in (hazard_leaving, sbg_leaving):
        p = leaving_of_population(stays, fit, within_days=horizon, customers=n)
        assert p.mean() == pytest.approx(truth.mean(), rel=0.15), fit.__name__
        assert np.corrcoef(p, truth)[0, 1] > 0.9, fit.__name__


def begun_late(stays, *, by):
    """Return the stays that a table begun ``by`` days before their last day knows of."""
    rng = np.random.default_rng(4)
    # Who ended did so some days ago; before the table was begun, nobody wrote it down.
    ago = np.where(stays.ended, rng.uniform(0.0, 2.0 * by, len(stays.days)), 0.0)
    known = ago < by
    entered = np.maximum(stays.days + ago - by, 0.0)
    return Stays(
        customer=stays.customer[known],
        days=stays.days[known],
        ended=stays.ended[known],
        entered=entered[known],
    )


def test_late_entries_are_at_risk_from_their_entry_on():
    """Each step of the curve is one less endings over those who had entered and not yet ended."""
    stays = begun_late(random_stays(), by=150.0)

    found = hazard_leaving(stays)(np.array([20.0, 120.0]), within_days=30.0)

    for start, p in zip((20.0, 120.0), found, strict=True):
        stay = 1.0
        for age in np.sort(stays.days[stays.ended]):
            if start < age <= start + 30.0:
                stay *= 1.0 - 1.0 / ((stays.entered < age) & (stays.days >= age)).sum()
        assert p == pytest.approx(1.0 - stay, rel=1e-9)


@pytest.mark.parametrize("fit", [hazard_leaving, sbg_leaving])
def test_a_table_begun_late_does_not_make_old_subscribers_immortal(fit):
    """The rate of stays that fall ill of nothing but time is found although old ends are unknown."""
    rng = np.random.default_rng(6)
    n, rate, began = 20_000, 1.0 / 300.0, 200.0
    age = rng.uniform(0.0, 1000.0, n)
    life = np.minimum(rng.exponential(1.0 / rate, n), age)
    ended = life < age
    known = ~ended | (age - life < began)
    stays = Stays(
        customer=np.where(ended, -1, np.cumsum(~ended) - 1)[known],
        days=life[known],
        ended=ended[known],
        entered=np.maximum(age - began, 0.0)[known],
    )
    tenure, truth = np.array([50.0, 400.0, 800.0]), 1.0 - np.exp(-60.0 * rate)

    found = fit(stays)(tenure, within_days=60.0)
    naive = fit(replace(stays, entered=np.zeros(len(stays.days))))(tenure, within_days=60.0)

    np.testing.assert_allclose(found, truth, rtol=0.15)
    assert naive.min() < 0.7 * truth


@pytest.mark.parametrize("fit", [hazard_leaving, sbg_leaving])
def test_the_order_of_stays_splits_no_tie(fit):
    """Engines give rows in orders of their own; the chances are the same to the last bit."""
    stays = random_stays()
    n = int((~stays.ended).sum())
    order = np.random.default_rng(8).permutation(len(stays.days))
    moved = Stays(**{name: getattr(stays, name)[order] for name in vars(stays)})

    first, second = (
        leaving_of_population(s, fit, within_days=30.0, customers=n) for s in (stays, moved)
    )

    np.testing.assert_array_equal(first, second)


def test_a_customer_with_two_stays_leaves_one_of_them():
    """The chances combine as of independent ends."""
    base = random_stays()
    two = Stays(
        customer=np.concatenate([base.customer * 0 - 1, [0, 0, 1]]),
        days=np.concatenate([base.days, [100.0, 100.0, 100.0]]),
        ended=np.concatenate([base.ended, [False, False, False]]),
        entered=np.zeros(len(base.days) + 3),
    )

    p = leaving_of_population(two, hazard_leaving, within_days=30.0, customers=2)

    assert p[0] == pytest.approx(1.0 - (1.0 - p[1]) ** 2)


def test_without_an_end_there_is_no_curve():
    """Nobody has left: neither estimate exists."""
    stays = Stays(
        customer=np.arange(3),
        days=np.full(3, 90.0),
        ended=np.zeros(3, bool),
        entered=np.zeros(3),
    )

    for fit in (hazard_leaving, sbg_leaving):
        assert leaving_of_population(stays, fit, within_days=30.0, customers=3) is None


def test_stays_find_their_place_in_the_population():
    """Ended ones and those of others have no place; running ones last until the cutoff."""
    cutoff = SNAPSHOT.cutoff_us
    table = pa.table(
        {
            "customer_id": ["b", "a", "z"],
            "started_at_us": [cutoff - 10 * US_PER_DAY, cutoff - 90 * US_PER_DAY, 0],
            "ended_at_us": pa.array([None, cutoff - 30 * US_PER_DAY, None], pa.int64()),
        }
    )

    stays = stays_of(table, population=["a", "b"], snapshot=SNAPSHOT)

    assert stays.customer.tolist() == [1, 0, -1]
    assert stays.days.tolist()[:2] == [10.0, 60.0]
    assert stays.ended.tolist() == [False, True, False]


def test_observation_begins_a_day_before_the_first_known_end():
    """A stay that began before it was at risk from then on; without an end, from its start."""
    cutoff = SNAPSHOT.cutoff_us
    ends = [None, cutoff - 30 * US_PER_DAY, cutoff - 5 * US_PER_DAY]
    begun = [cutoff - days * US_PER_DAY for days in (10, 90, 200)]

    def entered(ended):
        table = {"customer_id": ["a", "b", "c"], "started_at_us": begun, "ended_at_us": ended}
        stays = stays_of(
            pa.table(
                table,
                schema=pa.schema(
                    [
                        ("customer_id", pa.string()),
                        ("started_at_us", pa.int64()),
                        ("ended_at_us", pa.int64()),
                    ]
                ),
            ),
            population=[],
            snapshot=SNAPSHOT,
        )
        return stays.entered.tolist()

    assert entered(ends) == [0.0, 59.0, 169.0]
    assert entered([None] * 3) == [0.0, 0.0, 0.0]
