"""The simulated shop: its tables show the true rates, and its truth comes true."""

from __future__ import annotations

import itertools
import math
import time
import tracemalloc
from dataclasses import replace
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from churnkit.data.simulate import SCENARIOS, TABLES, Scenario, simulate_shop
from churnkit.errors import ParameterError, UnknownNameError

CUTOFF = "2024-06-01"
HORIZON = 90
STATES = ("engaged", "drifting", "gone")


def orders_only(scenario, *, customers=10_000, days=730, seed=11):
    """Return a history of orders alone, which is quick to make."""
    return simulate_shop(
        customers=customers, days=days, seed=seed, scenario=scenario, tables=["orders"]
    )


def order_heads(history):
    """Return one row per order: customer, time and value before refunds."""
    lines = history.to_pandas()["orders"]
    paid = lines[lines["amount"] > 0].groupby("order_id")
    return paid.agg(customer_id=("customer_id", "first"), ts=("ts", "min"), value=("amount", "sum"))


def orders_in_horizon(history, customers):
    """Return how many orders each customer placed in the horizon after the cutoff."""
    heads = order_heads(history)
    first = pd.Timestamp(CUTOFF)
    inside = heads["ts"].between(first, first + pd.Timedelta(days=HORIZON), inclusive="left")
    counts = heads[inside].groupby("customer_id").size()
    return counts.reindex(customers, fill_value=0).to_numpy(dtype=np.float64)


def moves(channel, *, leave_per_month):
    """Return the default scenario's daily probabilities between hidden states, by name."""
    month = 365.25 / 12
    factor = {"referral": 0.5, "search": 1.0, "social": 1.3, "discount": 2.0}[channel]
    drift, recover, leave = (
        1 - math.exp(-rate / month) for rate in (0.10 * factor, 0.15, leave_per_month)
    )
    return {
        "engaged": {"engaged": 1 - drift, "drifting": drift, "gone": 0.0},
        "drifting": {
            "engaged": recover * (1 - leave),
            "drifting": (1 - recover) * (1 - leave),
            "gone": leave,
        },
        "gone": {"engaged": 0.0, "drifting": 0.0, "gone": 1.0},
    }


def area_under_curve(positive, negative):
    """Return the chance that a positive scores above a negative, ties counting half."""
    wins = stats.mannwhitneyu(positive, negative).statistic
    return wins / (len(positive) * len(negative))


@pytest.fixture(scope="module")
def shop():
    """Return a stationary shop with every table."""
    return simulate_shop(customers=8_000, days=730, seed=5)


@pytest.fixture(scope="module")
def frames(shop):
    """Return its tables in pandas."""
    return shop.to_pandas()


@pytest.mark.parametrize(
    "scenario", ["stationary", "seasonal", "growing", "clumpy", "rhythmic", "no_churn"]
)
def test_true_churn_probabilities_come_true(scenario):
    """In every decile of the true probability as many stay away as it says."""
    history = orders_only(scenario)
    p = history.truth.true_churn_probability(CUTOFF, HORIZON)

    stayed_away = orders_in_horizon(history, p.index) == 0

    living = p.to_numpy() < 1.0
    p, stayed_away = p.to_numpy()[living], stayed_away[living]
    decile = pd.Series(p).rank(method="first").mul(10 / (len(p) + 1)).astype(int).to_numpy()
    for d in range(10):
        rows = decile == d
        error = stayed_away[rows].sum() - p[rows].sum()
        assert abs(error) < 4 * math.sqrt((p[rows] * (1 - p[rows])).sum()), (d, error)


@pytest.mark.parametrize("scenario", ["stationary", "seasonal", "rhythmic"])
def test_true_expected_orders_come_true(scenario):
    """The expected orders add up to those that were placed, and zero means none."""
    history = orders_only(scenario)
    expected = history.truth.true_expected_orders(CUTOFF, HORIZON)

    placed = orders_in_horizon(history, expected.index)

    error = placed - expected
    assert abs(error.sum()) < 4 * error.std() * math.sqrt(len(error))
    assert placed[expected == 0].sum() == 0
    assert expected.corr(pd.Series(placed, index=expected.index)) > 0.5


def test_churn_probability_equals_the_sum_over_all_hidden_paths():
    """For a short horizon the recursion agrees with every path written out."""
    scenario = replace(SCENARIOS["seasonal"], orders_per_year=200.0, leave_per_month=2.0)
    history = orders_only(scenario, customers=300, days=120)
    cutoff, days = date(2023, 4, 3), 4  # a Monday
    weekdays = [0.95, 0.95, 0.98, 1.02]

    actual = history.truth.true_churn_probability(cutoff, days)

    states = history.truth.hidden_state(cutoff)
    for customer, row in history.truth.customers().loc[states.index].iterrows():
        move = moves(row["acquisition_channel"], leave_per_month=2.0)
        rate = row["orders_per_year"] / 365.25
        total = 0.0
        for path in itertools.product(move, repeat=days):
            chance, before = 1.0, states[customer]
            for d, state in enumerate(path):
                ordinal = cutoff.toordinal() + d
                season = 1 + 0.5 * math.cos(2 * math.pi * (ordinal - 340) / 365.2425)
                factor = {"engaged": 1.0, "drifting": 0.7, "gone": 0.0}[state]
                chance *= move[before][state] * math.exp(-rate * factor * season * weekdays[d])
                before = state
            total += chance
        assert actual[customer] == pytest.approx(total, rel=1e-9)


def test_knowable_churn_probability_equals_the_sum_over_all_hidden_paths():
    """After a few days of orders it is Bayes' rule over every path written out."""
    scenario = replace(SCENARIOS["stationary"], orders_per_year=200.0, leave_per_month=2.0)
    history = orders_only(scenario, customers=300, days=120)
    days = 4
    cutoff = history.start + timedelta(days=days)
    weekdays = [0.80, 0.95, 0.95, 0.98]  # 1 January 2023 is a Sunday
    factor = {"engaged": 1.0, "drifting": 0.7, "gone": 0.0}

    knowable = history.truth.knowable_churn_probability(history.tables, cutoff, 1)

    customers = history.truth.customers()
    there_before = customers[customers["joined_on"].isna()]
    heads = order_heads(history)
    for customer, row in there_before.head(15).iterrows():
        placed = heads.loc[heads["customer_id"] == customer, "ts"].dt.date.value_counts()
        move = moves(row["acquisition_channel"], leave_per_month=2.0)
        # Of those who ever joined, so many days were lived engaged for each one lived drifting.
        living = np.array([[move[a][b] for b in STATES[:2]] for a in STATES[:2]])
        engaged = (1 - living[1, 1]) / living[0, 1]
        joiner = np.linalg.inv(np.eye(2) - living)[0]
        assert joiner[0] / joiner[1] == pytest.approx(engaged)
        # A day after joining at the earliest: one step of the chain less than all days lived.
        first = dict(zip(("engaged", "drifting"), joiner - [1.0, 0.0], strict=True))
        rate = row["orders_per_year"] / 365.25
        seen = [placed.get(history.start + timedelta(days=d), 0) for d in range(days)]
        both = alone = 0.0
        for path in itertools.product(move, repeat=days + 1):
            chance = first.get(path[0], 0.0)
            for d in range(days):
                mean = rate * factor[path[d]] * weekdays[d]
                chance *= stats.poisson.pmf(seen[d], mean) * move[path[d]][path[d + 1]]
            alone += chance
            both += chance * math.exp(-rate * factor[path[days]] * 1.02)  # a Thursday
        assert knowable[customer] == pytest.approx(both / alone, rel=1e-9)


def test_what_is_knowable_comes_true_and_tables_tell_the_more_the_more_there_are(shop):
    """As many stay away as it says; events bring it nearer to the truth than orders alone."""
    stays_away = orders_in_horizon(shop, shop.truth.hidden_state(CUTOFF).index) == 0
    orders = {"orders": shop.tables["orders"]}
    truth = shop.truth.true_churn_probability(CUTOFF, HORIZON)

    engaged = shop.truth.knowable_churn_probability(shop.tables, CUTOFF, HORIZON)
    alone = shop.truth.knowable_churn_probability(orders, CUTOFF, HORIZON)

    found = [area_under_curve(p[stays_away], p[~stays_away]) for p in (alone, engaged, truth)]
    assert found[0] + 0.02 < found[1] < found[2] - 0.005
    for p in (alone, engaged):
        decile = pd.qcut(p, 10, labels=False)
        off = (stays_away - p).groupby(decile).sum()
        spread = (p * (1 - p)).groupby(decile).sum() ** 0.5
        assert (off.abs() < 4 * spread).all(), off


def test_without_churn_and_with_equal_rates_labels_are_pure_chance():
    """Everybody has the closed-form Poisson probability, so that no model can have any skill."""
    history = orders_only("no_churn", customers=500)

    p = history.truth.true_churn_probability(CUTOFF, 91)

    # 91 days are 13 weeks, so that the weekdays' factors cancel.
    assert p.to_numpy() == pytest.approx(math.exp(-8.0 * 91 / 365.25), rel=1e-9)
    assert len(p) == 500
    assert history.truth.customers()["lives_until"].isna().all()


def test_truth_reaches_past_the_end_and_leaves_out_those_to_come(shop):
    """The day after the last is a cutoff; before it only those who joined are answered for."""
    joined = shop.truth.customers()["joined_on"]

    at_end = shop.truth.true_churn_probability(shop.end, HORIZON)
    earlier = shop.truth.true_churn_probability(CUTOFF, HORIZON)

    assert len(at_end) == 8_000
    assert set(earlier.index) == set(joined.index[~(joined >= CUTOFF)])
    longer = shop.truth.true_churn_probability(shop.end, 2 * HORIZON)
    assert (longer <= at_end).all()


def test_engagement_shows_drift_before_orders_do(shop, frames):
    """Recent visits and openings tell the drifting from the engaged better than recent orders."""
    state = shop.truth.hidden_state(CUTOFF)
    end = pd.Timestamp(CUTOFF)
    events, orders = frames["events"], frames["orders"]
    kinds = ["visit", "email_opened", "sms_opened", "push_opened"]

    def recent(table):
        rows = table[table["ts"].between(end - pd.Timedelta(days=60), end, inclusive="left")]
        return rows.groupby("customer_id").size().reindex(state.index, fill_value=0)

    engagement = recent(events[events["event_type"].isin(kinds)])
    ordering = recent(orders.drop_duplicates("order_id"))

    engaged, drifting = state == "engaged", state == "drifting"
    by_engagement = area_under_curve(engagement[engaged], engagement[drifting])
    by_orders = area_under_curve(ordering[engaged], ordering[drifting])
    assert by_engagement > 0.75
    assert by_orders < by_engagement - 0.1


def test_orders_show_the_true_rates(shop, frames):
    """Orders, repeat purchases, order value and refunds agree with their expectations."""
    rates, lines = shop.truth.rates, frames["orders"]
    heads = order_heads(shop)
    per_customer = heads.groupby("customer_id").size()
    n = len(heads)
    refunded = lines.loc[lines["amount"] < 0, "order_id"]

    share = 100 * (per_customer > 1).mean()
    value = lines["amount"].sum() / n

    assert abs(n - rates["orders"]) < 4 * math.sqrt(n)
    assert share == pytest.approx(
        rates["repeat_purchase_rate"], abs=4 * binomial_error(share, len(per_customer))
    )
    assert value == pytest.approx(rates["average_order_value"], rel=0.03)
    assert refunded.is_unique
    seen = 100 * len(refunded) / n
    assert seen == pytest.approx(rates["refund_rate"], abs=4 * binomial_error(seen, n))


def binomial_error(percent, n):
    """Return the standard error of a percentage."""
    return math.sqrt(percent * (100 - percent) / n)


def test_service_tables_show_the_true_rates(shop, frames):
    """Contact rate, survey scores and redemption agree with their expectations."""
    rates = shop.truth.rates
    orders = frames["orders"]["order_id"].nunique()
    tickets, rewards = frames["support_tickets"], frames["rewards"]
    scores = {kind: rows["score"] for kind, rows in frames["surveys"].groupby("survey")}

    csat = 100 * (scores["csat"] >= 4).mean()
    net = (scores["nps"] >= 9).astype(float) - (scores["nps"] <= 6).astype(float)
    redeemed = 100 * rewards["redeemed_at"].notna().mean()

    assert abs(len(tickets) - rates["contact_rate"] * orders) < 4 * math.sqrt(len(tickets))
    assert csat == pytest.approx(rates["csat"], abs=4 * binomial_error(csat, len(scores["csat"])))
    assert 100 * net.mean() == pytest.approx(
        rates["nps"], abs=400 * net.std() / math.sqrt(len(net))
    )
    ces = scores["ces"].astype(float)
    assert ces.mean() == pytest.approx(rates["ces_mean"], abs=4 * ces.std() / math.sqrt(len(ces)))
    assert rates["ces"] == pytest.approx(100 * rates["ces_mean"] / 7)
    assert redeemed == pytest.approx(
        rates["redemption_rate"], abs=4 * binomial_error(redeemed, len(rewards))
    )
    assert {k: (s.min(), s.max()) for k, s in scores.items()} == {
        "csat": (1, 5), "nps": (0, 10), "ces": (1, 7),
    }  # fmt: skip


def test_messages_work_best_on_the_best_channel_at_the_best_hour(shop, frames):
    """Openings agree with the true rate, and peak where the truth says."""
    events = frames["events"].merge(shop.truth.customers(), on="customer_id")
    sent = events[events["event_type"].str.endswith("_sent")].copy()
    opened = events[events["event_type"].str.endswith("_opened")]
    keys = ["customer_id", "campaign_id"]
    sent["opened"] = pd.MultiIndex.from_frame(sent[keys]).isin(
        pd.MultiIndex.from_frame(opened[keys])
    )
    distance = (sent["ts"].dt.hour - sent["best_hour"]).abs()

    on_best = sent.loc[sent["channel"] == sent["best_channel"], "opened"].mean()
    elsewhere = sent.loc[sent["channel"] != sent["best_channel"], "opened"].mean()

    assert elsewhere == pytest.approx(0.4 * on_best, rel=0.05)
    assert sent.loc[distance <= 1, "opened"].mean() > 2 * sent.loc[distance >= 6, "opened"].mean()
    expected = [shop.truth.rates[f"open_rate_{s}"] for s in ("engaged", "drifting", "gone")]
    assert expected[0] > 3 * expected[1] > 9 * expected[2]
    assert expected[2] < 100 * sent["opened"].mean() < expected[0]


def test_every_order_ends_a_session(shop, frames):
    """Purchases are the orders with their value, after a cart and a checkout of the same session."""
    events, heads = frames["events"], order_heads(shop)
    bought = events[events["event_type"] == "purchase"]
    steps = events[events["session_id"].isin(bought["session_id"])]
    carted = set(events.loc[events["event_type"] == "cart_add", "session_id"])

    funnel = steps["event_type"].value_counts()

    assert bought["ts"].tolist() == heads["ts"].sort_values().tolist()
    assert bought["value"].sum() == pytest.approx(heads["value"].sum(), rel=1e-3)
    # A visit just before the history began is not part of it.
    assert funnel.loc[["visit", "cart_add", "checkout"]].between(len(bought) - 5, len(bought)).all()
    abandoned = 100 * len(carted - set(bought["session_id"])) / len(carted)
    assert abandoned == pytest.approx(
        shop.truth.rates["cart_abandonment_rate"], abs=4 * binomial_error(abandoned, len(carted))
    )


def test_subscriptions_end_at_the_true_hazard():
    """With one hazard for all states, cancellations per month of exposure recover it."""
    scenario = Scenario(subscription_churn_per_month=(0.1, 0.1, 0.1))
    history = simulate_shop(
        customers=20_000, days=365, seed=3, scenario=scenario, tables=["subscriptions"]
    )
    spells = history.to_pandas()["subscriptions"]
    start, end = pd.Timestamp(history.start), pd.Timestamp(history.end)
    lived = spells["ended_at"].fillna(end) - spells["started_at"].clip(lower=start)
    starts = set(zip(spells["customer_id"], spells["started_at"], strict=True))
    ended = spells.dropna(subset="ended_at")
    continued = [
        pair in starts for pair in zip(ended["customer_id"], ended["ended_at"], strict=True)
    ]

    hazard = (len(ended) - sum(continued)) / (lived / pd.Timedelta(days=365.25 / 12)).sum()

    assert hazard == pytest.approx(0.1, rel=4 / math.sqrt(len(ended)))
    assert sum(continued) > 100
    ordered = spells.sort_values(["customer_id", "started_at"])
    following = ordered.groupby("customer_id")[["started_at", "plan"]].shift(-1)
    has_next = following["started_at"].notna()
    assert (following["started_at"] >= ordered["ended_at"])[has_next].all()
    changed = has_next & (following["started_at"] == ordered["ended_at"])
    assert (following["plan"] != ordered["plan"])[changed].all()
    assert (has_next & ~changed).sum() > 20


def test_subscriptions_follow_the_hidden_state():
    """If only the gone cancel, every cancellation comes after its customer has gone."""
    scenario = Scenario(subscription_churn_per_month=(0.0, 0.0, 0.5))
    history = simulate_shop(
        customers=3_000, days=365, seed=3, scenario=scenario, tables=["subscriptions"]
    )
    spells = history.to_pandas()["subscriptions"]
    starts = set(zip(spells["customer_id"], spells["started_at"], strict=True))
    ended = spells.dropna(subset="ended_at").join(history.truth.customers(), on="customer_id")

    cancelled = [
        pair not in starts for pair in zip(ended["customer_id"], ended["ended_at"], strict=True)
    ]

    assert sum(cancelled) > 100
    assert (ended["ended_at"] >= ended["lives_until"])[cancelled].all()


def test_campaigns_are_randomised_and_show_the_uplift(shop, frames):
    """The difference between arms is the true uplift, and the arms do not differ otherwise."""
    campaigns = frames["campaigns"]
    arms = campaigns.astype({"outcome": float}).groupby("treatment")["outcome"]
    first = campaigns[campaigns["ts"] == campaigns["ts"].min()].set_index("customer_id")
    state = shop.truth.hidden_state(first["ts"].iloc[0].date())

    uplift = 100 * arms.mean().diff().iloc[-1]

    error = 100 * math.sqrt((arms.var() / arms.size()).sum())
    assert uplift == pytest.approx(shop.truth.rates["campaign_uplift"], abs=4 * error)
    table = pd.crosstab(first["treatment"].to_numpy(), state.loc[first.index].to_numpy())
    assert stats.chi2_contingency(table).pvalue > 1e-4
    assert set(campaigns.loc[campaigns["treatment"] == 0, "cost"]) == {0.0}


def test_acquisition_channel_bears_on_leaving_and_on_cost(shop, frames):
    """The discount channel loses more than referrals, and costs add up to the true cost a head."""
    truth = shop.truth.customers()
    newcomers = truth[truth["joined_on"].between("2023-01-01", "2023-12-31")]

    gone = newcomers["lives_until"].notna().groupby(newcomers["acquisition_channel"]).mean()
    cost = frames["marketing_costs"]["amount"].sum() / truth["joined_on"].notna().sum()

    assert gone["discount"] > gone["referral"] + 0.1
    assert cost == pytest.approx(shop.truth.rates["customer_acquisition_cost"], rel=0.02)
    attributes = frames["customers"].set_index("customer_id")
    assert (attributes["acquisition_channel"] == truth["acquisition_channel"]).all()


def test_stationary_shop_keeps_its_size():
    """Neither orders nor living customers drift from the first quarter to the last."""
    history = orders_only("stationary", customers=40_000)

    heads = order_heads(history)
    weeks = heads.groupby((heads["ts"] - pd.Timestamp(history.start)).dt.days // 91).size()
    living = [(history.truth.hidden_state(d) != "gone").sum() for d in ("2023-01-02", history.end)]

    assert weeks.loc[:7].max() < 1.03 * weeks.loc[:7].min()
    assert living[1] == pytest.approx(living[0], rel=0.03)


def test_seasonal_shop_peaks_where_it_says():
    """A cosine fitted to the daily orders has the scenario's amplitude and day."""
    history = orders_only("seasonal", customers=20_000)
    days = pd.date_range(history.start, periods=730)

    daily = order_heads(history)["ts"].dt.normalize().value_counts().reindex(days, fill_value=0)

    phase = 2 * np.pi * np.array([d.toordinal() for d in days]) / 365.2425
    cosine, sine = (2 * np.mean(daily / daily.mean() * f(phase)) for f in (np.cos, np.sin))
    assert math.hypot(cosine, sine) == pytest.approx(0.5, abs=0.03)
    peak_day = math.degrees(math.atan2(sine, cosine)) % 360 / 360 * 365.2425
    assert peak_day == pytest.approx(340, abs=5)


@pytest.mark.parametrize(("scenario", "growth"), [("growing", 2.5), ("shrinking", 0.2)])
def test_portfolio_grows_or_shrinks_by_its_joiners(scenario, growth):
    """The second year's joiners are the stated multiple of the first year's."""
    history = orders_only(scenario)

    joined = history.truth.customers()["joined_on"].dt.year.value_counts()

    error = 4 * growth * math.sqrt((1 / joined).sum())
    assert joined[2024] / joined[2023] == pytest.approx(growth, abs=error)


def test_rhythm_shows_in_the_gaps():
    """Silences between bursts vary by chance in the clumpy shop and little in the rhythmic one."""
    variation = {}
    for name in ("clumpy", "rhythmic"):
        shape = replace(SCENARIOS[name], rate_cv=0.0, drift_per_month=0.0, orders_per_year=100.0)
        heads = order_heads(orders_only(shape, customers=500)).sort_values(["customer_id", "ts"])
        gaps = heads.groupby("customer_id")["ts"].diff().dropna() / pd.Timedelta(days=1)
        lulls = gaps[gaps > 7]
        variation[name] = lulls.std() / lulls.mean()

    # An exponential lull has a coefficient of variation of 1, one of twelve phases 12 ** -0.5.
    assert variation["clumpy"] == pytest.approx(0.9, abs=0.15)
    assert variation["rhythmic"] == pytest.approx(0.3, abs=0.1)


def test_heavy_tail_shows_in_the_top_decile():
    """The best tenth of the customers bring most of the heavy-tailed shop's revenue."""
    shares = {}
    for name in ("stationary", "heavy_tailed"):
        spent = order_heads(orders_only(name)).groupby("customer_id")["value"].sum().sort_values()
        shares[name] = spent.iloc[-len(spent) // 10 :].sum() / spent.sum()

    assert shares["stationary"] < 0.45
    assert shares["heavy_tailed"] > 0.6


def test_same_seed_same_tables_whichever_are_made():
    """A seed fixes each table, also when others are left out; another seed changes it."""
    size = {"customers": 300, "days": 200}
    first = simulate_shop(**size, seed=9)

    again = simulate_shop(**size, seed=9)
    fewer = simulate_shop(**size, seed=9, tables=["surveys", "campaigns"])
    other = simulate_shop(**size, seed=10)

    assert all(first.tables[name].equals(again.tables[name]) for name in TABLES)
    assert list(fewer.tables) == ["surveys", "campaigns"]
    assert all(fewer.tables[name].equals(first.tables[name]) for name in fewer.tables)
    assert not first.tables["orders"].equals(other.tables["orders"])


def test_tables_have_the_columns_of_the_contracts(shop):
    """Every table bears the names that configurations map, with naive times inside the history."""
    expected = {
        "orders": "customer_id ts amount order_id product_id quantity discount",
        "events": "customer_id ts event_type channel campaign_id session_id product_id value",
        "support_tickets": "customer_id opened_at first_response_at resolved_at channel priority",
        "surveys": "customer_id ts survey score",
        "rewards": "customer_id issued_at redeemed_at value",
        "customers": "customer_id registered_at acquisition_channel country birth_year",
        "subscriptions": "subscription_id customer_id started_at ended_at mrr plan seats"
        " billing_months payment_failed_at",
        "marketing_costs": "ts amount channel",
        "campaigns": "customer_id ts treatment outcome cost",
    }
    end = pd.Timestamp(shop.end)

    found = {name: " ".join(table.column_names) for name, table in shop.tables.items()}

    assert found == expected
    for name, frame in shop.to_pandas().items():
        stamps = frame.select_dtypes("datetime")
        assert (stamps.dtypes == "datetime64[us]").all(), name
        assert (stamps.max() < end).all(), name
        assert frame["customer_id" if "customer_id" in frame else "channel"].notna().all()
    kinds = shop.to_pandas()["events"].dtypes
    assert (str(kinds["customer_id"]), str(kinds["session_id"])) == ("int64", "Int64")


def test_money_is_in_cents_and_refunds_leave_orders_positive(frames):
    """Amounts have two decimals, refunds come later than their order and pay back half of it."""
    lines = frames["orders"]
    assert (lines["amount"].round(2) == lines["amount"]).all()
    per_order = lines.groupby("order_id")["amount"]

    refunds = lines[lines["amount"] < 0].set_index("order_id")

    paid = per_order.sum()[refunds.index] - refunds["amount"]
    assert (-refunds["amount"] / paid).between(0.4, 1.0).all()
    assert (-refunds["amount"]).sum() == pytest.approx(0.5 * paid.sum(), rel=1e-3)
    delay = refunds["ts"] - lines.groupby("order_id")["ts"].min()[refunds.index]
    assert delay.dt.days.between(2, 20).all()
    assert lines["ts"].is_monotonic_increasing
    assert lines["ts"].dt.hour.between(7, 23).all()


def test_written_files_hold_the_tables(tmp_path):
    """Each table is a Parquet file of its name that another engine reads whole."""
    history = simulate_shop(customers=200, days=120, seed=1)

    paths = history.write(tmp_path / "shop")

    assert sorted(p.name for p in (tmp_path / "shop").iterdir()) == sorted(
        f"{name}.parquet" for name in TABLES
    )
    for name, path in paths.items():
        read = duckdb.execute("from read_parquet(?)", [str(path)]).fetchall()
        assert len(read) == history.tables[name].num_rows


@pytest.mark.parametrize(("customers", "days"), [(1, 1), (3, 40)])
def test_tiny_shops_have_every_table(customers, days):
    """The smallest shops work, with empty tables where nothing happened."""
    history = simulate_shop(customers=customers, days=days, seed=0)

    probability = history.truth.true_churn_probability(history.end, 30)

    assert tuple(history.tables) == TABLES
    assert len(probability) == customers
    assert history.end == history.start + timedelta(days=days)


def test_fifty_thousand_customers_are_cheap():
    """Orders of 50,000 customers in two years take seconds and little memory."""
    tracemalloc.start()
    began = time.perf_counter()

    history = orders_only("stationary", customers=50_000)

    seconds, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert history.tables["orders"].num_rows > 500_000
    assert peak < 400e6
    assert seconds < 20.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"orders_per_year": 0.0}, r"scenario: orders_per_year must lie in .*; got 0\.0"),
        ({"season_amplitude": 1.5}, r"scenario: season_amplitude must lie in \[0, 0\.99\]; got"),
        ({"lull_days": 2.0, "lull_phases": 5}, r"scenario: lull_days must be 0 or at least"),
        ({"subscription_churn_per_month": (0.1, 0.2)}, r"must be 3 rates >= 0; got \(0\.1, 0\.2\)"),
    ],
)
def test_impossible_scenarios_are_refused(changes, message):
    """The message names the field, its range and the value given."""
    with pytest.raises(ParameterError, match=message):
        Scenario(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"customers": 0}, ParameterError, r"simulate_shop: customers must be at least 1; got 0"),
        ({"tables": ["order"]}, UnknownNameError, r"table 'order'\. Did you mean 'orders'\?"),
        ({"scenario": "seasonl"}, UnknownNameError, r"Did you mean 'seasonal'\? Known: stationary"),
    ],
)
def test_wrong_arguments_are_refused(changes, error, message):
    """Sizes, tables and scenarios that cannot be are answered with what can."""
    with pytest.raises(error, match=message):
        simulate_shop(**{"customers": 10, "days": 30, "seed": 1, **changes})


def test_truth_refuses_cutoffs_outside_the_history(shop):
    """There is no state before the first day or after the last, and no empty horizon."""
    with pytest.raises(ParameterError, match=r"must lie from 2023-01-02 to 2024-12-31; got 2022"):
        shop.truth.hidden_state("2022-12-31")
    with pytest.raises(ParameterError, match=r"truth: horizon_days must be at least 1; got 0"):
        shop.truth.true_churn_probability(CUTOFF, 0)
