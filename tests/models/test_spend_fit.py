"""What a spend model is fitted on, and what it is taught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from churnkit.errors import ModelGuardError
from churnkit.evaluation.predictive import spend_metrics
from churnkit.models.spend_fit import spend_target
from churnkit.models.training import fit_models


def test_nobody_spending_is_refused(shop, settings):
    """There is no spend model of nothing."""
    nothing = [replace(s, future_spend=np.zeros(len(s.churned))) for s in shop.train[-3:]]

    with pytest.raises(ModelGuardError, match="no customer spends anything in any training"):
        fit_models(nothing, settings=settings, judge=spend_metrics)


@pytest.mark.parametrize(
    ("kind", "taught"), [("gamma", [0.0, 0.0, 4.0]), ("l2", [0.0, 0.0, np.log(5.0)])]
)
def test_a_net_return_is_taught_as_no_spend(kind, taught):
    """Amounts are counted in units, in logs of one more where the objective is squared error."""
    found = spend_target(np.array([-3.0, 0.0, 2.0]), unit=0.5, kind=kind)

    assert found == pytest.approx(taught)
