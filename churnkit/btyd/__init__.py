"""BG/NBD, MBG/NBD, Pareto/NBD and Gamma-Gamma: fits, expectations and probabilities of orders."""

from __future__ import annotations

from churnkit.btyd.bg_nbd import BgNbd, fit_bg_nbd, fit_mbg_nbd
from churnkit.btyd.gamma_gamma import GammaGamma, fit_gamma_gamma
from churnkit.btyd.history import PurchaseHistory, group_customers
from churnkit.btyd.kinds import PURCHASE_MODELS, fit_purchase_model, purchase_model_from_dict
from churnkit.btyd.pareto_nbd import ParetoNbd, fit_pareto_nbd
from churnkit.btyd.predictions import PurchaseModel

__all__ = [
    "PURCHASE_MODELS",
    "BgNbd",
    "GammaGamma",
    "ParetoNbd",
    "PurchaseHistory",
    "PurchaseModel",
    "fit_bg_nbd",
    "fit_gamma_gamma",
    "fit_mbg_nbd",
    "fit_pareto_nbd",
    "fit_purchase_model",
    "group_customers",
    "purchase_model_from_dict",
]
