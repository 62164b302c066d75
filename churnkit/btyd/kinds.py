"""Purchase models by the name that a configuration or a stored bundle has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.btyd.bg_nbd import BgNbd, fit_bg_nbd, fit_mbg_nbd
from churnkit.btyd.pareto_nbd import ParetoNbd, fit_pareto_nbd
from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.btyd.history import PurchaseHistory
    from churnkit.btyd.predictions import PurchaseModel

__all__ = ["PURCHASE_MODELS", "fit_purchase_model", "purchase_model_from_dict"]

PURCHASE_MODELS: Registry[PurchaseModel] = Registry("purchase model")
PURCHASE_MODELS.register("bg_nbd")(fit_bg_nbd)
PURCHASE_MODELS.register("mbg_nbd")(fit_mbg_nbd)
PURCHASE_MODELS.register("pareto_nbd")(fit_pareto_nbd)


def fit_purchase_model(history: PurchaseHistory, *, kind: str) -> PurchaseModel:
    """Fit the model named ``bg_nbd``, ``mbg_nbd`` or ``pareto_nbd``.

    Raises
    ------
    UnknownNameError
        If there is no model of that name.
    ModelGuardError
        If the history has no tenure, or the likelihood no maximum.
    """
    return PURCHASE_MODELS[kind](history)


def purchase_model_from_dict(stored: Mapping[str, object]) -> PurchaseModel:
    """Return the purchase model whose ``to_dict`` gave ``stored``.

    Raises
    ------
    ParameterError
        If a key is missing or unknown, or a parameter is not positive.
    UnknownNameError
        If ``kind`` names no model.

    Examples
    --------
    >>> model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> purchase_model_from_dict(model.to_dict()) == model
    True
    """
    kind = str(stored.get("kind"))
    PURCHASE_MODELS[kind]
    return ParetoNbd.from_dict(stored) if kind == "pareto_nbd" else BgNbd.from_dict(stored)
