"""The views of retention: each figure recomputed by SQL, files, options, refusals, figures."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

import churnkit
from churnkit.data.simulate import simulate_shop
from churnkit.errors import ConfigError, DataError, ParameterError
from churnkit.formulas import BUDGET_MIX
from churnkit.pipeline import list_names
from churnkit.pipeline.view_list import VIEWS

TABLES = ("orders", "events", "subscriptions", "marketing_costs")
END = "2023-11-01"


@pytest.fixture(scope="module")
def frames():
    """Give the tables of a shop of ten months as pandas frames."""
    return simulate_shop(customers=150, days=310, seed=9).to_pandas()


@pytest.fixture(scope="module")
def config(frames, metrics_config, tmp_path_factory):
    """Give a configuration of the shop's tables as Parquet files."""
    return metrics_config(
        {name: frames[name] for name in TABLES}, folder=tmp_path_factory.mktemp("shop")
    )


@pytest.fixture(scope="module")
def sql(frames):
    """Give a function that asks SQL of the shop's own tables, apart from the product's code."""
    with duckdb.connect() as connection:
        for name in TABLES:
            connection.register(f"{name}_view", frames[name])
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {name}_view")
        connection.execute(
            """CREATE VIEW heads AS
               SELECT customer_id, order_id, CAST(min(ts) AS DATE) AS day, sum(amount) AS net
               FROM (SELECT *, sum(amount) OVER (PARTITION BY order_id, CAST(ts AS DATE)) AS of_day
                     FROM orders)
               WHERE amount > 0 GROUP BY customer_id, order_id"""
        )

        def ask(query, **values):
            return connection.execute(query, values).df()

        yield ask


def test_the_triangle_is_that_of_sql(config, frames, sql):
    """Customers, rates and revenue of each cohort and age, bounded and unbounded."""
    result = churnkit.retention_metrics(config, view="cohorts", end=END)

    table = result.to_pandas()
    expected = sql(
        """WITH months AS (SELECT customer_id, date_trunc('month', day) AS month FROM heads
                           WHERE day < CAST($end AS DATE) GROUP BY ALL),
                first AS (SELECT customer_id, min(month) AS cohort FROM months GROUP BY ALL),
                sizes AS (SELECT cohort, count(*) AS size FROM first GROUP BY ALL),
                lasts AS (SELECT customer_id, max(month) AS last FROM months GROUP BY ALL),
                spent AS (SELECT customer_id, date_trunc('month', ts) AS month, sum(amount) AS money
                          FROM orders WHERE ts < CAST($end AS TIMESTAMP) GROUP BY ALL),
                ages AS (SELECT cohort, size, unnest(generate_series(0, 10)) AS age FROM sizes)
           SELECT CAST(a.cohort AS DATE) AS cohort_start, a.size, a.age,
                  count(m.customer_id) AS customers,
                  count(*) FILTER (l.last >= a.cohort + to_months(CAST(a.age AS INTEGER))) AS later,
                  coalesce(sum(s.money), 0) AS revenue
           FROM ages a JOIN first f USING (cohort) JOIN lasts l USING (customer_id)
           LEFT JOIN months m ON m.customer_id = f.customer_id
                AND m.month = a.cohort + to_months(CAST(a.age AS INTEGER))
           LEFT JOIN spent s ON s.customer_id = f.customer_id
                AND s.month = a.cohort + to_months(CAST(a.age AS INTEGER))
           WHERE a.cohort + to_months(CAST(a.age AS INTEGER)) < CAST($end AS DATE)
           GROUP BY ALL ORDER BY 1, 3""",
        end=END,
    )
    known = table[table["cohort_customers"] > 0].reset_index(drop=True)
    assert len(known) == len(expected) > 50
    for ours, theirs in (
        ("cohort_customers", "size"),
        ("age", "age"),
        ("customers", "customers"),
        ("unbounded_customers", "later"),
    ):
        assert known[ours].tolist() == expected[theirs].tolist()
    np.testing.assert_allclose(known["revenue"], expected["revenue"], atol=1e-6)
    np.testing.assert_allclose(known["rate"], 100 * expected["customers"] / expected["size"])
    assert (known["rate_ci_low"] <= known["rate"]).all()
    assert result.every == "month"
    assert result.says[0].startswith("Of ")


def test_the_ladder_is_that_of_sql(config, sql):
    """At each k, who has order k and who has order k + 1."""
    ladder = churnkit.retention_metrics(config, view="ladder").to_pandas()

    counts = sql("SELECT customer_id, count(*) AS n FROM heads GROUP BY ALL")["n"]
    for number, row in enumerate(ladder.itertuples(), start=1):
        assert (row.denominator, row.numerator) == (
            (counts >= number).sum(),
            (counts > number).sum(),
        )
    assert len(ladder) == min(counts.max(), 10)


def test_the_ladder_counts_only_the_days_it_is_told(config):
    """With ladder_days only the customers whose days are over are at risk."""
    short = {**config, "retention": {"ladder_days": 30, "ladder_steps": 3}}

    result = churnkit.retention_metrics(short, view="ladder")

    whole = churnkit.retention_metrics(config, view="ladder").to_pandas()
    assert len(result.to_pandas()) == 3
    assert result.to_pandas()["n"].iloc[0] < whole["n"].iloc[0]
    assert result.says[0].endswith("order again within 30 days.")


def test_survival_is_the_product_of_sql(config, sql):
    """The share that lasts longer than 90 days is the product over the days before, as in the book."""
    curve = churnkit.retention_metrics(config, view="survival", end=END)

    events = sql(
        """WITH lives AS (
             SELECT date_diff('microsecond', started_at,
                      least(coalesce(ended_at, CAST($end AS TIMESTAMP)), CAST($end AS TIMESTAMP)))
                      / 86400e6 AS days,
                    ended_at IS NOT NULL AND ended_at < CAST($end AS TIMESTAMP) AS ended
             FROM subscriptions WHERE started_at < CAST($end AS TIMESTAMP))
           SELECT days, count(*) FILTER (ended) AS d,
                  (SELECT count(*) FROM lives o WHERE o.days >= l.days) AS at_risk
           FROM lives l GROUP BY days""",
        end=END,
    )
    before = events[events["days"] <= 90]
    assert curve.data.at(90) == pytest.approx((1 - before["d"] / before["at_risk"]).prod())
    assert curve.data.ended == events["d"].sum()
    assert f"{curve.data.ended:,} have ended" in curve.says[0]


def test_the_funnel_is_that_of_sql(config, sql):
    """Who views, then fills a cart, then buys, all within a day of the view."""
    result = churnkit.retention_metrics(config, view="funnel", end=END)

    reached = sql(
        """WITH e AS (SELECT customer_id, event_type, ts FROM events),
                starts AS (SELECT * FROM e WHERE event_type = 'product_view'
                           AND ts < CAST($end AS TIMESTAMP)
                           AND ts + INTERVAL 24 HOURS <= CAST($end AS TIMESTAMP)),
                paths AS (
                  SELECT s.customer_id, s.ts,
                    (SELECT min(c.ts) FROM e c WHERE c.customer_id = s.customer_id
                       AND c.event_type = 'cart_add' AND c.ts >= s.ts
                       AND c.ts < s.ts + INTERVAL 24 HOURS) AS cart
                  FROM starts s),
                full_paths AS (
                  SELECT p.*, (SELECT min(b.ts) FROM e b WHERE b.customer_id = p.customer_id
                       AND b.event_type = 'purchase' AND b.ts >= p.cart
                       AND b.ts < p.ts + INTERVAL 24 HOURS) AS bought
                  FROM paths p)
           SELECT count(DISTINCT customer_id) AS viewed,
                  count(DISTINCT customer_id) FILTER (cart IS NOT NULL) AS filled,
                  count(DISTINCT customer_id) FILTER (bought IS NOT NULL) AS bought
           FROM full_paths""",
        end=END,
    )
    assert result.to_pandas()["users"].tolist() == reached.iloc[0].tolist()
    assert reached["bought"].iloc[0] > 0


def test_segments_and_migration_hold_everybody_once(config, frames):
    """Sizes and revenue add up to the table's; rows of the matrix are the segments of the start."""
    segments = churnkit.retention_metrics(config, view="segments").to_pandas()
    moved = churnkit.retention_metrics(config, view="migration")
    before = churnkit.retention_metrics(config, view="segments", end=str(moved.start)).to_pandas()

    orders = frames["orders"]
    assert segments["customers"].sum() == orders["customer_id"].nunique()
    assert segments["net_revenue"].sum() == pytest.approx(orders["amount"].sum())
    assert segments["revenue_percent"].sum() == pytest.approx(100)
    assert (moved.end - moved.start).days == 60
    rows = moved.to_pandas().groupby("earlier")["customers"].sum()
    sizes = before.set_index("segment")["customers"]
    assert rows.drop("absent").to_dict() == sizes[sizes > 0].to_dict()
    after = moved.to_pandas().groupby("later")["customers"].sum()
    assert after.to_dict() == segments.set_index("segment")["customers"].loc[after.index].to_dict()


def test_concentration_and_power_users_are_sums_of_the_largest(config, frames):
    """Sorted by hand: the top fifth of the spenders, the top tenth of the users."""
    money = churnkit.retention_metrics(config, view="concentration", end=END)
    users = churnkit.retention_metrics(config, view="power_users", end=END)

    orders, events = (frames[n][frames[n]["ts"] < END] for n in ("orders", "events"))
    spent = orders.groupby("customer_id")["amount"].sum().sort_values(ascending=False)
    top = 100 * spent.iloc[: -(-len(spent) // 5)].sum() / spent.sum()
    assert money.data.rows[0].value == pytest.approx(top)
    assert money.data.curve[2] == pytest.approx(top)
    assert money.data.curve[10] == pytest.approx(100)
    actions = events.groupby("customer_id").size().sort_values(ascending=False)
    most = actions.iloc[: -(-len(actions) // 10)]
    assert users.to_pandas()["actions"].tolist() == most.tolist()
    assert users.data.share.value == pytest.approx(100 * most.sum() / actions.sum())


def test_lift_follows_from_the_companys_own_figures(config, frames, sql):
    """Retention, margin and costs by SQL; then the value of five points by the formula."""
    start = "2023-07-01"
    result = churnkit.retention_metrics(config, view="lift", start=start, end=END)

    there = sql(
        """WITH a AS (SELECT DISTINCT customer_id FROM heads
                      WHERE day >= CAST($start AS DATE) - 60 AND day < CAST($start AS DATE)),
                b AS (SELECT DISTINCT customer_id FROM heads
                      WHERE day >= CAST($end AS DATE) - 60 AND day < CAST($end AS DATE))
           SELECT count(*) AS s, count(b.customer_id) AS kept FROM a LEFT JOIN b USING (customer_id)""",
        start=start,
        end=END,
    ).iloc[0]
    orders, costs = (frames[n] for n in ("orders", "marketing_costs"))
    inside = orders[(orders["ts"] >= start) & (orders["ts"] < END)]
    made = sql(
        """SELECT count(*) FILTER (day >= CAST($start AS DATE)) AS here, count(*) AS orders,
                count(DISTINCT customer_id) AS buyers
           FROM heads WHERE day >= CAST($end AS DATE) - 365 AND day < CAST($end AS DATE)""",
        start=start,
        end=END,
    ).iloc[0]
    cost = costs.loc[(costs["ts"] >= start) & (costs["ts"] < END), "amount"].sum()
    days = (pd.Timestamp(END) - pd.Timestamp(start)).days
    yearly = inside["amount"].sum() / made["here"] * made["orders"] / made["buyers"]
    r, margin = there["kept"] / there["s"], 0.5 * yearly * days / 365.25
    d = 1.1 ** (days / 365.25) - 1
    row = result.to_pandas().set_index("points").loc[5]
    assert result.data.retention == pytest.approx(100 * r)
    assert row["lifetime_value"] == pytest.approx(margin * (1 + d) / (1 + d - r - 0.05))
    assert row["lifetime_value_lift"] == pytest.approx(100 * ((1 + d - r) / (1 + d - r - 0.05) - 1))
    gain = there["s"] * 0.05 * margin
    assert row["margin_gain"] == pytest.approx(gain)
    assert row["profit_lift"] == pytest.approx(100 * gain / (0.5 * inside["amount"].sum() - cost))


def test_lift_without_customers_at_the_start_says_so(config, frames):
    """In the first month nobody was there before: no scenario, and the reason."""
    first = str(frames["orders"]["ts"].min().date())

    result = churnkit.retention_metrics(config, view="lift", start=first)

    assert result.to_pandas().empty
    assert result.says == ("No customers at period start, or none with an order in the period.",)


def test_lift_without_a_profit_says_why_there_is_no_percentage(config, frames):
    """Costs above the margin leave no profit of which a gain could be a share."""
    costs = frames["marketing_costs"].assign(amount=1e6)

    result = churnkit.retention_metrics(
        config, view="lift", tables={"marketing_costs": costs}, start="2023-07-01", end=END
    )

    assert result.to_pandas()["profit_lift"].isna().all()
    assert "The profit, margin less marketing costs, is -" in result.says[-1]
    assert result.says[-1].endswith(": no percentage of it.")


def test_the_budget_is_what_was_spent_split_as_practice_does(config, frames):
    """Stages by their percentages, amounts of the costs of the period."""
    result = churnkit.retention_metrics(config, view="budget", start="2023-02-01", end=END)

    costs = frames["marketing_costs"]
    inside = (costs["ts"] >= "2023-02-01") & (costs["ts"] < END)
    table = result.to_pandas().set_index("stage")
    assert list(table.index) == list(BUDGET_MIX)
    assert table.loc["growth", "retention"] == pytest.approx(
        0.25 * costs.loc[inside, "amount"].sum()
    )
    assert (table["acquisition_percent"] + table["retention_percent"] == 100).all()


def test_hindsight_compares_the_formula_with_what_was_spent(config, frames):
    """What was spent in the horizon is the sum over its days of who had ordered before it."""
    result = churnkit.retention_metrics(config, view="hindsight")

    orders = frames["orders"]
    start, end = pd.Timestamp(result.start), pd.Timestamp(result.end)
    assert (end - start).days == 60
    known = orders.loc[(orders["ts"] < start) & (orders["amount"] > 0), "customer_id"].unique()
    later = orders[(orders["ts"] >= start) & (orders["ts"] < end)]
    spent = later.loc[later["customer_id"].isin(known), "amount"].sum()
    row = result.to_pandas().iloc[0]
    assert row["actual"] == pytest.approx(spent)
    assert row["overshoot"] == pytest.approx(100 * (row["predicted"] / spent - 1))
    assert row["ci_low"] < row["overshoot"] < row["ci_high"]
    verb = "overshoots" if row["overshoot"] >= 0 else "undershoots"
    assert result.says[0] == f"Your formula {verb} by {abs(row['overshoot']):.1f} %."
    with pytest.raises(DataError, match="orders must reach to the end of the horizon"):
        churnkit.retention_metrics(config, view="hindsight", start=end, end="2024-12-01")


def test_hindsight_shows_a_model_beside_the_formula(shop, workplace):
    """The champion's spend at its own test cutoff is that of its backtest; later data are refused."""
    (cutoff,) = (s.cutoff for s in shop.trained.backtest.snapshots)
    end = str((pd.Timestamp(cutoff) + pd.Timedelta(days=60)).date())
    asked = {"view": "hindsight", "model": str(shop.bundle)}

    result = churnkit.retention_metrics(shop.config, start=cutoff, end=end, **asked)

    table = result.to_pandas().set_index("forecast")
    assert list(table.index) == ["formula", "model"]
    assert abs(table.loc["model", "overshoot"]) < 60
    assert result.says[1].startswith("Your model ")
    with pytest.raises(ParameterError, match="must be as far apart as the model looks ahead, 60"):
        churnkit.retention_metrics(shop.config, start=cutoff, **asked | {"end": cutoff[:-2] + "28"})
    early = str((pd.Timestamp(cutoff) - pd.Timedelta(days=20)).date())
    end = str((pd.Timestamp(early) + pd.Timedelta(days=60)).date())
    with pytest.raises(ParameterError, match="model must not know what happened after start"):
        churnkit.retention_metrics(shop.config, start=early, end=end, **asked)


@pytest.fixture(scope="module")
def documented():
    """Give the columns of each view that docs/metrics.md names."""
    place = Path(__file__).parents[2] / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.COLUMNS


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_every_view_has_a_table_json_and_a_figure(config, tmp_path, view, documented):
    """JSON and table hold the documented columns; the page holds the figure and needs no network."""
    target = tmp_path / f"{view}.html"

    result = churnkit.retention_metrics(config, view=view, end=END, output=target)

    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["view"] == view
    assert len(plain["rows"]) == len(result.to_pandas()) > 0
    assert plain["says"] == list(result.says)
    assert list(result.to_pandas().columns) == list(documented[view])
    page = target.read_text(encoding="utf-8")
    assert "Plotly.newPlot" in page
    assert '<script src="http' not in page


def test_files_hold_the_rows_of_a_view(config, tmp_path):
    """Parquet keeps the types, CSV the rows, JSON everything."""
    paths = {suffix: tmp_path / f"cohorts.{suffix}" for suffix in ("csv", "parquet", "json")}

    for path in paths.values():
        result = churnkit.retention_metrics(config, view="cohorts", end=END, output=path)

    rows = result.to_pandas()
    pd.testing.assert_frame_equal(pd.read_parquet(paths["parquet"]), rows)
    np.testing.assert_allclose(pd.read_csv(paths["csv"])["revenue"], rows["revenue"])
    plain = json.loads(json.dumps(result.to_dict()))
    assert json.loads(paths["json"].read_text()) == plain


def test_measures_of_cohorts_are_drawn(config):
    """The measure asked for is the default of the figure, and another may be given."""
    result = churnkit.retention_metrics(config, view="cohorts", every="quarter", measure="revenue")

    assert result.plot().layout.title.text == "Net revenue"
    assert result.plot(measure="rate").layout.title.text.startswith("Customers who order, in %")


def test_the_company_draws_series_and_bridge(config):
    """Any metric as a series; the movements as a bridge; without orders the first metric there is."""
    result = churnkit.retention_metrics(config, every="quarter")
    only = churnkit.retention_metrics(
        {**config, "data": {"events": config["data"]["events"]}}, every="quarter"
    )

    assert result.plot().layout.title.text == "Customer retention rate (orders)"
    assert "Average order value" in result.plot("average_order_value").layout.title.text
    assert result.plot_mrr_bridge().data[0].type == "waterfall"
    assert "Active users" in only.plot().layout.title.text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"view": "cohort"}, r"view must be a known name; got 'cohort'\. Did you mean 'cohorts'"),
        ({"view": "funnel", "every": "month"}, "every is only for the view cohorts or company"),
        ({"view": "funnel", "by": "country"}, "by is only for the view company"),
        ({"view": "ladder", "measure": "rate"}, "measure is only for the view cohorts"),
        ({"view": "ladder", "model": "m"}, "model is only for the view hindsight"),
        ({"measure": "rate"}, "measure is only for the view cohorts; the view is 'company'"),
        ({"model": "m"}, "model is only for the view hindsight; the view is 'company'"),
        ({"view": "cohorts", "measure": "share"}, "measure must be known; got 'share'"),
        ({"view": "cohorts", "every": "week"}, "every must be a length of period; got 'week'"),
        ({"view": "ladder", "output": "x.xlsx"}, r"Known: \.csv, \.html, \.json, \.parquet\."),
        ({"view": "cohorts", "start": END, "end": END}, "end must be after start"),
        ({"view": "ladder", "start": END}, "start is not for the view 'ladder', .* all history"),
        ({"view": "segments", "start": END}, "start is not for the view 'segments'"),
    ],
)
def test_what_a_view_has_not_is_refused_in_a_sentence(config, options, sentence):
    """Unknown views and options of other views are named with those that there are."""
    with pytest.raises(ParameterError, match=sentence):
        churnkit.retention_metrics(config, **options)


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_a_view_names_the_table_that_it_needs(config, view):
    """Without its table a view is refused before anything is read."""
    needs = VIEWS[view].needs
    data = {name: table for name, table in config["data"].items() if name != needs}

    with pytest.raises(
        ConfigError, match=rf"^shop: data\.{needs}: required key is missing: the view"
    ):
        churnkit.retention_metrics({**config, "data": data}, view=view)


def test_views_are_listed_with_what_they_show():
    """The list has every view and the default."""
    names = list_names("views").names

    assert set(names) == {"company", *VIEWS}
    assert all(names.values())
