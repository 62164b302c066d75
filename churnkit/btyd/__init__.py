"""Purchase counts (BG/NBD, MBG/NBD, Pareto/NBD), their values (Gamma-Gamma), and how long contracts last."""

from __future__ import annotations

from churnkit.btyd.bg_nbd import BgNbd, fit_bg_nbd, fit_mbg_nbd
from churnkit.btyd.gamma_gamma import GammaGamma, fit_gamma_gamma
from churnkit.btyd.history import PurchaseHistory, group_customers
from churnkit.btyd.kinds import PURCHASE_MODELS, fit_purchase_model, purchase_model_from_dict
from churnkit.btyd.life_table import RetentionCurve, fit_retention_curve
from churnkit.btyd.pareto_nbd import ParetoNbd, fit_pareto_nbd
from churnkit.btyd.predictions import PurchaseModel
from churnkit.btyd.sbg import ShiftedBetaGeometric, fit_sbg

__all__ = [
    "PURCHASE_MODELS",
    "BgNbd",
    "GammaGamma",
    "ParetoNbd",
    "PurchaseHistory",
    "PurchaseModel",
    "RetentionCurve",
    "ShiftedBetaGeometric",
    "fit_bg_nbd",
    "fit_gamma_gamma",
    "fit_mbg_nbd",
    "fit_pareto_nbd",
    "fit_purchase_model",
    "fit_retention_curve",
    "fit_sbg",
    "group_customers",
    "purchase_model_from_dict",
]
