"""The words of a configuration for new data files: every key, with its default and what it means."""

from __future__ import annotations

__all__ = ["ABOUT", "TEMPLATE"]

TEMPLATE = """\
# A churnkit configuration: every key, with its default. Start with: churnkit validate <this file>
# Paths are relative to the directory you work in.

name: {name}  # of the run, of its experiment and of its model
seed: 7

engine:
  kind: duckdb           # runs in this process
  threads: null          # null: one per core
  memory_limit: null     # such as 4GB; past it, work spills to temp_directory
  temp_directory: null

data:
  time_zone: {time_zone}  # naive times are in this zone, and days begin at its midnight
  on_invalid: quarantine # rows that break the contract: quarantine (set aside, go on) or raise
  refunds: net           # rows with a negative amount: net (subtract), drop or raise
  duplicates: keep       # rows equal in every column: keep or drop
{tables}

snapshots:
  horizon_days: {horizon:<8} # churned: no order in so many days
  gap_days: 0            # days between the cutoff and the horizon, time for a campaign to start
  observation_days: 730  # history that features may see
  every_days: {every:<10} # from one training cutoff to the next
  count: 12              # training snapshots wanted; fewer if the history is short
  test: 1                # newest snapshots, kept out of training to test on
  last: null             # newest cutoff; null: the last whose horizon lies inside the data
  customers_share: 1.0   # below 1: learn from so many of the customers, drawn by id

population:              # the customers who are scored
  active_within_days: 365
  min_orders: 1

label: {{kind: {label}}}

features:                # see: churnkit list features
{features}

churn:
  model: lightgbm
  params: {{}}             # passed on to the model, such as: {{num_leaves: 31}}
  calibration: auto      # kept only if it lowers log loss on a later snapshot
  level: auto            # the purchase model, corrected by what it missed, sets the mean

lifetime_value:
  model: lightgbm
  objective: auto        # auto, tweedie, hurdle_gamma or hurdle_lognormal
  params: {{}}
  interval: 0.8          # share of customers whose spend should lie between low and high
  gross_margin: 1.0      # margin per unit of spend: 0.4 is 40 %
  yearly_discount_rate: 0.0
  horizon_days: null     # lifetime value over so many days; null: over the labels' horizon
  level: auto            # the purchase model, corrected by what it missed, sets the total

search:
  trials: 0              # parameters to try for each model; needs pip install 'churnkit-ml[search]'
  folds: 3               # judged on the newest training snapshots, forward in time

tracking:                # MLflow
  uri: null              # null: MLFLOW_TRACKING_URI if set, else the store in models/
  experiment: null       # null: the name above
  registered_model: null # null: the name above

scoring:
  as_of: null            # first instant that is not known; null: the day after the last in the data
  risk_bands: {{medium: 0.33, high: 0.66}}
  reasons: 3             # per customer, in words
  numbers: en            # 1,234.5 in reasons; de 1.234,5; fr 1 234,5; ch 1’234.5; plain 1234.5
  currency: ""           # before or after amounts in reasons, such as £ or EUR
  output: out/{{name}}/scores.parquet

retention:               # the definitions behind the metrics: churnkit metrics <this file>
  activity_window_days: {window} # an order keeps its customer active so long; null: active_within_days
  churn: start_of_period # or including_joiners, mean_of_daily
  repeat: in_period      # or ever
  net_revenue: closed    # or with_reactivations
  lifespan: observed     # in lifetime value: last - first order, or churn: 1 / yearly churn
  discounted: first_margin_excluded # or first_margin_counted
  yearly_discount_rate: null # null: lifetime_value.yearly_discount_rate
  lift_points: 5.0         # what so many points more retention would be worth
  csat_options: 5        # scales of the surveys
  csat_positive_from: null # lowest positive score; null: the top two options
  ces_options: 7
  ces: share_of_scale    # or mean, top_two_box
  user_events: null      # event types that make a user active; null: all
  cart_event: {cart}   # event types of a filled cart and of a purchase
  purchase_event: {purchase}
  cart_window_hours: 24.0
  funnel_steps: null       # event types in order; null: cart_event, then purchase_event
  funnel_window_hours: 24.0 # for all steps together
  funnel_by: customer      # or session
  ladder_steps: 10         # orders up to which the repurchase ladder goes
  ladder_days: null        # count the next order only in so many days; null: whenever it was
  segments: null         # null: the eleven RFM segments of practice; or your own rules
  level: 0.95            # of confidence intervals
  output: out/{{name}}/metrics.parquet

report: {{output: "out/{{name}}/report.html"}}
"""

ABOUT = {
    "orders": "one row per order or order line",
    "events": "visits, opens, clicks",
    "subscriptions": "contracts with start, end and monthly revenue",
    "support_tickets": "questions and complaints",
    "surveys": "answers to CSAT, NPS and CES surveys",
    "rewards": "loyalty rewards, issued and redeemed",
    "customers": "attributes of customers",
    "marketing_costs": "money spent to win and keep customers",
    "campaigns": "campaigns with a control group",
}
