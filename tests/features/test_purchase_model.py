"""PurchaseExpectations: wired to the purchase models as a customer-by-customer reading says."""

from __future__ import annotations

import dataclasses
import logging
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import hyp2f1

from churnkit.btyd import fit_gamma_gamma, fit_purchase_model, group_customers
from churnkit.data.orders import order_table
from churnkit.data.windows import Snapshot
from churnkit.datasets import dataset_path
from churnkit.errors import UnknownNameError
from churnkit.features.build import FEATURE_BUILDERS, History, build_features
from churnkit.features.purchase_model import PurchaseExpectations

BG_NBD = PurchaseExpectations()
ORDERS, PROBABILITY, P_ALIVE, VALUE, SPEND = BG_NBD.feature_names


def oracle(rows_of, *, snapshot, kind):
    """Return the features by fitting to one row per customer, in business days."""
    counted = {}
    for customer, rows in rows_of.items():
        days = [r.day for r in rows if r.is_order_day]
        if days:
            amount = sum(r.amount for r in rows if r.is_order)
            net = sum(r.amount for r in rows)
            counted[customer] = (
                len(days),
                (days[-1] - days[0]).days / 7,
                (snapshot.cutoff - days[0]).days / 7,
                amount,
                net,
            )
    n, t_x, tenure, amount, net = np.array(list(counted.values())).T
    customers = {"repeat_orders": n - 1, "recency": t_x, "tenure": tenure}
    ahead = {"horizon": snapshot.horizon_days / 7, "gap": snapshot.gap_days / 7}
    model = fit_purchase_model(group_customers(**customers), kind=kind)
    mean = amount / n
    gamma = fit_gamma_gamma(mean[mean > 0], n_orders=n[mean > 0])
    value = gamma.expected_order_value(mean, n_orders=np.where(mean > 0, n, 0))
    value = value * net.sum() / amount.sum()
    orders = model.expected_orders(**customers, **ahead)
    columns = {
        ORDERS: orders,
        PROBABILITY: model.probability_of_order(**customers, **ahead),
        P_ALIVE: model.p_alive(**customers),
        VALUE: value,
        SPEND: orders * value,
    }
    return {
        customer: {name: float(values[i]) for name, values in columns.items()}
        for i, customer in enumerate(counted)
    }


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_agrees_with_a_fit_to_one_row_per_customer(features_of, plain, snapshot, kind):
    """Cells of equal histories give what customers give, future rows notwithstanding."""
    snapshot = dataclasses.replace(snapshot, gap_days=14)
    lines = plain.random_lines(4, customers=60, orders=240)
    rows_of = plain.customer_rows(lines, snapshot=snapshot)
    expected = oracle(rows_of, snapshot=snapshot, kind=kind)

    actual = features_of(lines, PurchaseExpectations(kind=kind), at_snapshot=snapshot)

    assert expected.keys() <= actual.keys()
    for customer, values in expected.items():
        # Values are fitted in cells one percent wide, and a fit stops at a flat place.
        assert plain.differences(actual[customer], values, rel=2e-3) == {}, customer
    for customer in actual.keys() - expected.keys():
        assert [actual[customer][name] for name in BG_NBD.feature_names] == [None] * 5


def test_agrees_with_the_published_figures_for_cdnow(engine, load):
    """Through the builder, BG/NBD of the CDNOW sample is that of Fader, Hardie and Lee (2005).

    Expected orders in 39 weeks are equation (10) of the paper with its published parameters. The
    paper counts orders worth nothing, so amounts are left out, and ends tenure at the beginning of
    the last day, churnkit at its end: the fit moves a little.
    """
    rows = pq.read_table(dataset_path("cdnow_sample")).to_pylist()
    lines = pa.table(
        {
            "customer_id": [str(r["customer_id"]) for r in rows],
            "ts_us": pa.array([r["timestamp"] for r in rows], pa.timestamp("us")).cast(pa.int64()),
        }
    )
    orders = order_table(load(lines), columns=frozenset(), engine=engine, time_zone="UTC")
    weeks_39 = Snapshot(cutoff=date(1997, 10, 1), observation_days=365, horizon_days=273)
    history = History(tables={"orders": orders}, engine=engine)

    table = build_features(history, weeks_39, builders=[BG_NBD]).to_arrow()

    first, last, days = (
        table[name].to_numpy() for name in ("first_order_us", "last_order_us", "order_days")
    )
    week = 7 * 86_400_000_000
    x, t_x, t = days - 1, (last - first) / week, (weeks_39.cutoff_us - first) / week
    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    series = hyp2f1(r + x, b + x, a + b + x - 1, 39 / (alpha + t + 39))
    shrink = ((alpha + t) / (alpha + t + 39)) ** (r + x)
    gone = np.where(x > 0, a / (b + x - 1) * ((alpha + t) / (alpha + t_x)) ** (r + x), 0)
    expected = (a + b + x - 1) / (a - 1) * (1 - shrink * series) / (1 + gone)
    assert table.num_rows == 2357
    assert table[ORDERS].to_numpy() == pytest.approx(expected, rel=0.04, abs=1e-6)
    assert table[ORDERS].to_numpy().sum() == pytest.approx(expected.sum(), rel=0.01)


def test_without_repeat_orders_the_rhythm_is_null_and_the_log_says_so(features_of, plain, caplog):
    """Nobody ordered on two days: no rate can be learned; the value of an order can."""
    lines = [plain.line(f"c{i}", 10 + i, 20.0 + i) for i in range(5)]

    with caplog.at_level(logging.WARNING, logger="churnkit"):
        features = features_of(lines, BG_NBD)

    assert [features["c0"][name] for name in (ORDERS, PROBABILITY, P_ALIVE, SPEND)] == [None] * 4
    assert features["c0"][VALUE] == pytest.approx(22.0, rel=0.1)
    assert "purchase_model at 2024-07-01: no customer has ordered on two days" in caplog.text


def test_without_a_positive_value_the_money_is_null_and_the_log_says_so(features_of, plain, caplog):
    """All orders were taken back before the cutoff: their rhythm is known, their value is not."""
    lines = []
    for customer in ("a", "b"):
        for days in (90, 60, 30):
            order = {"order_id": f"{customer}{days}"}
            lines += [plain.line(customer, days, 9.0, **order)]
            lines += [plain.line(customer, days - 1, -9.0, **order)]

    with caplog.at_level(logging.WARNING, logger="churnkit"):
        features = features_of(lines, BG_NBD)

    assert [features["a"][name] for name in (VALUE, SPEND)] == [None] * 2
    assert features["a"][ORDERS] > 0
    assert "purchase_model at 2024-07-01: no order has a positive value" in caplog.text


def test_a_fit_that_fails_gives_nulls_and_a_warning(features_of, plain, caplog, monkeypatch):
    """A model that refuses its own fit stops neither the other features nor the run."""
    import churnkit.btyd
    from churnkit.errors import ModelGuardError

    def refuse(*_, **__):
        msg = "fit: no maximum"
        raise ModelGuardError(msg)

    monkeypatch.setattr(churnkit.btyd, "fit_purchase_model", refuse)
    monkeypatch.setattr(churnkit.btyd, "fit_gamma_gamma", refuse)
    lines = [plain.line("a", 30), plain.line("a", 9)]

    with caplog.at_level(logging.WARNING, logger="churnkit"):
        features = features_of(lines, BG_NBD)

    assert [features["a"][name] for name in BG_NBD.feature_names] == [None] * 5
    assert caplog.text.count("fit: no maximum; its features are null") == 2


def test_batches_hold_what_the_whole_holds(history_of, plain, snapshot):
    """The fit is to everybody; a batch of customers is told the same as all at once."""
    history = history_of(plain.random_lines(1))
    table = build_features(history, snapshot, builders=[BG_NBD])

    batches = list(table.batches(rows=7))

    assert pa.concat_tables(batches).sort_by("customer_id") == table.to_arrow()


def test_an_unknown_kind_is_refused_at_once():
    """The message names the kinds there are."""
    with pytest.raises(UnknownNameError, match=r"unknown purchase model 'bgnbd'.*'bg_nbd'"):
        PurchaseExpectations(kind="bgnbd")


def test_is_registered():
    """A configuration finds the builder by its name."""
    assert FEATURE_BUILDERS["purchase_model"] is PurchaseExpectations
