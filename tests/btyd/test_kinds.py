"""Purchase models by name: what is known, and what comes back."""

from __future__ import annotations

import pytest

from churnkit.btyd import (
    PURCHASE_MODELS,
    fit_purchase_model,
    group_customers,
    purchase_model_from_dict,
)
from churnkit.errors import ParameterError, UnknownNameError

HISTORY = {
    "repeat_orders": [0, 0, 1, 3, 0, 8],
    "recency": [0, 0, 12, 30, 0, 14],
    "tenure": [39, 35, 39, 37, 36, 39],
}


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_named_model_is_fitted_and_read_back(kind):
    """The name chooses the model, the model keeps the name, and a stored one is the same."""
    model = fit_purchase_model(group_customers(**HISTORY), kind=kind)

    assert model.kind == kind
    assert purchase_model_from_dict(model.to_dict()) == model


def test_known_names_are_listed():
    """The names a configuration may use."""
    assert PURCHASE_MODELS.names() == ("bg_nbd", "mbg_nbd", "pareto_nbd")


def test_unknown_name_is_refused_with_the_nearest():
    """A misspelt name is answered with the one that was meant."""
    with pytest.raises(UnknownNameError, match=r"'bg_nbg'. Did you mean 'bg_nbd'\? Known: bg_nbd,"):
        fit_purchase_model(group_customers(**HISTORY), kind="bg_nbg")


def test_stored_model_of_unknown_kind_is_refused():
    """A stored dict must say what it is."""
    with pytest.raises(UnknownNameError, match=r"unknown purchase model 'None'"):
        purchase_model_from_dict({"r": 1.0})


def test_stored_model_with_missing_keys_is_refused():
    """A parameter that was lost is not made up."""
    with pytest.raises(ParameterError, match=r"BgNbd.from_dict: keys must be .*; got \['kind'\]"):
        purchase_model_from_dict({"kind": "bg_nbd"})
