"""Pounds, pence or billions: the unit of money changes no ranking, no risk and no share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import churnkit

MONEY = (
    "expected_spend",
    "expected_spend_low",
    "expected_spend_high",
    "expected_ltv",
    "value_at_risk",
)


@pytest.mark.parametrize("times", [2.0**30, 2.0**-20], ids=["billions", "millionths"])
def test_the_unit_of_money_changes_nothing_but_the_unit(shop, workplace, result, scored, times):
    """Powers of two are exact, so every customer gets the same risk and the multiple of the money."""
    amounts = pd.to_numeric(shop.orders["amount"], errors="coerce") * times
    orders = shop.orders.assign(
        amount=amounts.map(repr).where(amounts.notna(), shop.orders["amount"])
    )
    config = shop.config | {"name": "other_currency"}
    trained = churnkit.train(config, tables={"orders": orders})

    found = churnkit.score(config, model=trained.bundle_folder, tables={"orders": orders})

    other = found.to_pandas().set_index("customer_id").loc[scored.index]
    np.testing.assert_allclose(other["churn_probability"], scored["churn_probability"], rtol=1e-9)
    for name in MONEY:
        np.testing.assert_allclose(other[name] / times, scored[name], rtol=1e-6, err_msg=name)
    total, usual = (r.manifest["expected_spend_total"] for r in (found, result))
    for name in ("expected", "low", "high"):
        assert total[name] / times == pytest.approx(usual[name], rel=1e-6)
