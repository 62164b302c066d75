"""The standard formulas as pure functions of numbers, each with its source."""

from __future__ import annotations

from churnkit.formulas.acquisition import (
    BUDGET_MIX,
    BUDGET_VARIANTS,
    LTV_TO_CAC_YARDSTICK,
    budget_mix,
    cac_payback_months,
    customer_acquisition_cost,
    ltv_to_cac,
)
from churnkit.formulas.bootstrap import bootstrap_interval, bootstrap_ratio_interval
from churnkit.formulas.catalogue import FORMULAS, FormulaInfo, described, formula_info
from churnkit.formulas.churn import CHURN_VARIANTS, customer_churn_rate
from churnkit.formulas.concentration import pareto_share, power_user_share, top_decile_spend_ratio
from churnkit.formulas.customers import (
    cohort_retention,
    customer_retention_rate,
    customer_retention_rate_strict,
)
from churnkit.formulas.discounted import (
    LIFETIME_VARIANTS,
    LIFT_VARIANTS,
    discounted_lifetime_value,
    retention_lift,
)
from churnkit.formulas.engagement import active_users, redemption_rate, stickiness
from churnkit.formulas.funnels import cart_abandonment_rate, funnel_conversion, funnel_drop_off
from churnkit.formulas.intervals import (
    Interval,
    median_interval,
    net_share_interval,
    poisson_interval,
    wilson_interval,
)
from churnkit.formulas.lifetime import (
    LIFESPAN_VARIANTS,
    customer_lifetime_value,
    customer_lifetime_value_margin,
)
from churnkit.formulas.metric import SMALL_N, MetricValue, Status, Unit, quotient
from churnkit.formulas.orders import average_order_value, purchase_frequency
from churnkit.formulas.per_customer import (
    DAYS_PER_YEAR,
    formula_ltv,
    mean_days_between_orders,
    purchase_frequency_per_year,
)
from churnkit.formulas.repeat import REPEAT_VARIANTS, repeat_purchase_rate, repurchase_probability
from churnkit.formulas.revenue import (
    NET_VARIANTS,
    gross_revenue_retention,
    net_revenue_retention,
    revenue_churn_rate,
)
from churnkit.formulas.satisfaction import (
    CES_VARIANTS,
    NPS_DETRACTOR_TO,
    NPS_PROMOTER_FROM,
    ces,
    csat,
    nps,
)
from churnkit.formulas.support import (
    CONTACT_VARIANTS,
    contact_rate,
    first_response_hours,
    resolution_hours,
    resolution_rate,
    support_contacts,
)

__all__ = [
    "BUDGET_MIX",
    "BUDGET_VARIANTS",
    "CES_VARIANTS",
    "CHURN_VARIANTS",
    "CONTACT_VARIANTS",
    "DAYS_PER_YEAR",
    "FORMULAS",
    "LIFESPAN_VARIANTS",
    "LIFETIME_VARIANTS",
    "LIFT_VARIANTS",
    "LTV_TO_CAC_YARDSTICK",
    "NET_VARIANTS",
    "NPS_DETRACTOR_TO",
    "NPS_PROMOTER_FROM",
    "REPEAT_VARIANTS",
    "SMALL_N",
    "FormulaInfo",
    "Interval",
    "MetricValue",
    "Status",
    "Unit",
    "active_users",
    "average_order_value",
    "bootstrap_interval",
    "bootstrap_ratio_interval",
    "budget_mix",
    "cac_payback_months",
    "cart_abandonment_rate",
    "ces",
    "cohort_retention",
    "contact_rate",
    "csat",
    "customer_acquisition_cost",
    "customer_churn_rate",
    "customer_lifetime_value",
    "customer_lifetime_value_margin",
    "customer_retention_rate",
    "customer_retention_rate_strict",
    "described",
    "discounted_lifetime_value",
    "first_response_hours",
    "formula_info",
    "formula_ltv",
    "funnel_conversion",
    "funnel_drop_off",
    "gross_revenue_retention",
    "ltv_to_cac",
    "mean_days_between_orders",
    "median_interval",
    "net_revenue_retention",
    "net_share_interval",
    "nps",
    "pareto_share",
    "poisson_interval",
    "power_user_share",
    "purchase_frequency",
    "purchase_frequency_per_year",
    "quotient",
    "redemption_rate",
    "repeat_purchase_rate",
    "repurchase_probability",
    "resolution_hours",
    "resolution_rate",
    "retention_lift",
    "revenue_churn_rate",
    "stickiness",
    "support_contacts",
    "top_decile_spend_ratio",
    "wilson_interval",
]
