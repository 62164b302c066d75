"""How much memory a fit takes beyond the matrix it is given, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

MEASURED = """
from datetime import date, timedelta

import numpy as np

from churnkit.data.windows import Snapshot
from churnkit.evaluation.predictive import spend_metrics
from churnkit.models import churn, spend
from churnkit.models.base import FeatureMatrix, LabelledSnapshot, side_by_side
from churnkit.models.training import ModelSettings, fit_models

churn.ROUNDS = spend.ROUNDS = 2
# On as many rows as usual, bins would be found on half of these.
PARAMS = {"bin_construct_sample_cnt": 10_000}
SETTINGS = ModelSettings(threads=1, churn_params=PARAMS, spend_params=PARAMS, calibration="none")


def snapshots(rows):
    rng = np.random.default_rng(7)
    made = []
    for k in range(8):
        snapshot = Snapshot(
            cutoff=date(2023, 1, 1) + timedelta(days=30 * k), observation_days=730, horizon_days=30
        )
        values = rng.standard_normal((rows // 8, 60), dtype=np.float32)
        orders = rng.poisson(np.exp(values[:, 0] / 2)).astype(np.float64)
        days = 1.0 + rng.poisson(2.0, rows // 8)
        first = snapshot.cutoff_us - rng.integers(300, 700, rows // 8) * 86_400e6
        last = first + np.where(days > 1, 200 * 86_400e6 * rng.random(rows // 8), 0.0)
        amount = rng.lognormal(3.0, 0.5, rows // 8)
        made.append(
            LabelledSnapshot(
                snapshot=snapshot,
                customer_ids=np.empty(0, dtype=object),
                base={
                    "orders": days,
                    "order_days": days,
                    "first_order_us": first,
                    "last_order_us": last,
                    "net_revenue": amount,
                    "order_amount": days * amount,
                    "horizon_orders": orders,
                    "horizon_amount": orders * amount,
                },
                eligible=np.ones(rows // 8, dtype=bool),
                features=FeatureMatrix(names=tuple(f"f{i}" for i in range(60)), values=values),
                churned=orders == 0,
                future_spend=orders * amount,
                future_orders=orders,
            )
        )
    return side_by_side(made)


def memory(kind):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(kind))


# Libraries are loaded by the first fit.
fit_models(snapshots(4_000), settings=SETTINGS, judge=spend_metrics)
given = snapshots(240_000)
before = memory("VmRSS")
fit_models(given, settings=SETTINGS, judge=spend_metrics)
print((memory("VmHWM") - before) / sum(s.features.values.nbytes for s in given))
"""


@pytest.mark.slow
def test_a_fit_takes_less_than_the_matrix_again():
    """Bins of one set of rows are a quarter of it; no copy of rows, no second set of bins."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True
    )

    assert 0.25 < float(done.stdout) < 1.0
