"""The score table, end to end: who is in it, what it says, and that it is written whole."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

import churnkit
from churnkit.errors import (
    ConfigError,
    DataError,
    ModelGuardError,
    ParameterError,
)
from churnkit.models.bundle import load_bundle, save_bundle
from churnkit.scoring import score_schema

REASONS = [f"reason_{i}{end}" for i in (1, 2, 3) for end in ("", "_feature", "_contribution")]
PREDICTIONS = [
    "churn_probability",
    "risk_band",
    "risk_rank",
    "expected_orders",
    "expected_spend",
    "expected_ltv",
    "value_at_risk",
    "p_alive",
]


def known_customers(orders: pd.DataFrame, as_of: str) -> set[str]:
    """Return who has a row that is not in the future, by another way than the product's."""
    ts = pd.to_datetime(orders["ts"].where(orders["ts"] != ""))
    return set(orders.loc[ts.isna() | (ts < pd.Timestamp(as_of)), "customer_id"])


def same_scores(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Compare two score tables but for the moment at which they were made."""
    frames = [
        f.drop(columns="scored_at").sort_values("customer_id").reset_index(drop=True)
        for f in (one, other)
    ]
    assert_frame_equal(*frames)


class TestRows:
    """Everybody once, with a status."""

    def test_every_customer_known_at_as_of_is_there_once(self, shop, result):
        """Customers of the file before ``as_of`` and no others; nobody twice."""
        table = result.to_pandas()

        assert table["customer_id"].is_unique
        assert set(table["customer_id"]) == known_customers(shop.orders, shop.as_of)

    @pytest.mark.parametrize(
        ("customer", "status"),
        [
            ("last-instant-before", "scored"),
            ("rejected-and-good", "scored"),
            ("long-ago", "inactive"),
            ("not-lately", "inactive"),
            ("only-returns", "no_valid_orders"),
            ("only-rejected", "no_valid_orders"),
            ("only-without-time", "no_valid_orders"),
        ],
    )
    def test_status(self, scored, customer, status):
        """Returns or rejected rows alone are no valid orders; old customers are inactive."""
        assert scored.loc[customer, "status"] == status

    @pytest.mark.parametrize(
        "customer", ["only-later", "only-later-and-rejected", "first-instant-after"]
    )
    def test_customers_of_the_future_are_not_there(self, scored, customer):
        """Who is only seen at or after ``as_of`` is not yet known."""
        assert customer not in scored.index

    def test_inactive_customers_have_formula_metrics_and_no_predictions(self, scored):
        """Outside the population predictions are null and the formulas are not."""
        inactive = scored[scored["status"] == "inactive"]

        assert inactive[[*PREDICTIONS, *REASONS]].isna().all(axis=None)
        metrics = ["orders", "net_revenue", "average_order_value", "historical_ltv", "rfm_segment"]
        assert inactive[metrics].notna().all(axis=None)
        assert inactive.loc["long-ago", "net_revenue"] == 40.0

    def test_rejected_customers_have_only_their_id_and_status(self, scored):
        """Of customers without a valid row nothing else is known."""
        row = scored.loc["only-rejected"].drop(
            ["status", "as_of", "model_name", "model_version", "scored_at"]
        )

        assert row.isna().all()

    def test_scored_customers_have_every_prediction(self, scored):
        """Inside the population nothing but a late next order and spare reasons is null."""
        inside = scored[scored["status"] == "scored"]

        assert inside[PREDICTIONS].notna().all(axis=None)
        assert inside[["reason_1", "reason_1_feature"]].notna().mean().min() > 0.8

    @pytest.mark.parametrize("batch_rows", [3, 50])
    def test_batches_without_anybody_in_the_population(
        self, result, score, monkeypatch, batch_rows
    ):
        """The size of a batch changes nothing, even if nobody in it is scored."""
        monkeypatch.setattr("churnkit.scoring.customers.BATCH_ROWS", batch_rows)

        again = score()

        assert {k: again.manifest[k] for k in ("rows", "statuses", "risk_bands")} == {
            k: result.manifest[k] for k in ("rows", "statuses", "risk_bands")
        }
        assert again.manifest["totals"] == pytest.approx(result.manifest["totals"])

    def test_nobody_in_the_population(self, shop, score):
        """A year after the last order everybody is inactive; the table is written all the same."""
        manifest = score(as_of="2025-06-01").manifest

        known = len(known_customers(shop.orders, "2025-06-01"))
        assert manifest["rows"] == known
        assert manifest["statuses"] == {
            "inactive": known - 4,
            "no_valid_orders": 4,
        }
        assert manifest["totals"]["expected_spend"] == 0.0

    def test_no_customer_before_as_of_is_refused(self, score):
        """A day before the first order has nobody to score."""
        with pytest.raises(DataError, match=r"orders: .* holds no valid row .*not before as_of"):
            score(as_of="2020-01-01")


class TestNumbers:
    """What the columns promise of each other."""

    def test_manifest_reconciles_with_the_table_and_the_input(self, shop, result):
        """Statuses, bands, totals and rows of the manifest are those of the file and of pandas."""
        table = result.to_pandas()
        text = Path(f"{result.output}.manifest.json").read_text(encoding="utf-8")

        manifest = json.loads(text)

        orders = manifest["inputs"]["orders"]
        assert manifest == json.loads(json.dumps(result.to_dict()))
        assert manifest["rows"] == len(table) == len(known_customers(shop.orders, shop.as_of))
        assert manifest["statuses"] == table["status"].value_counts().to_dict()
        assert manifest["risk_bands"] == table["risk_band"].value_counts().to_dict()
        for name, total in manifest["totals"].items():
            assert total == pytest.approx(table[name].sum())
        assert orders["rows_read"] == len(shop.orders)
        assert orders["rows_used"] + orders["rows_set_aside"] == orders["rows_read"]
        rejected = pq.read_table(manifest["rejected_rows"]["orders"]["path"])
        assert rejected.num_rows == orders["rows_set_aside"]

    def test_net_revenue_is_what_pandas_adds_up(self, shop, scored):
        """Money before ``as_of`` by customer, over rows that are sound."""
        orders = shop.orders.assign(
            amount=pd.to_numeric(shop.orders["amount"], errors="coerce"),
            ts=pd.to_datetime(shop.orders["ts"].where(shop.orders["ts"] != "")),
        ).dropna(subset=["amount", "ts"])
        expected = (
            orders[orders["ts"] < shop.as_of].groupby("customer_id")["amount"].sum().sort_index()
        )

        actual = scored["net_revenue"].dropna().sort_index()

        assert list(actual.index) == list(expected.index)
        assert np.allclose(actual, expected, atol=1e-6)

    def test_expected_orders_are_at_least_the_probability_of_one(self, scored):
        """Who orders at all orders at least once."""
        inside = scored[scored["status"] == "scored"]

        assert (inside["expected_orders"] >= 1 - inside["churn_probability"] - 1e-12).all()

    def test_value_at_risk_is_risk_times_value_given_an_order(self, scored):
        """``churn_probability`` times expected LTV given an order, which is LTV over P(order)."""
        inside = scored[scored["status"] == "scored"]
        given_order = inside["expected_ltv"] / (1 - inside["churn_probability"])

        assert np.allclose(inside["value_at_risk"], inside["churn_probability"] * given_order)

    def test_expected_ltv_is_spend_after_margin_and_discount(self, scored):
        """A margin of 40 % and 10 % a year, paid half-way through 60 days on average."""
        inside = scored[scored["status"] == "scored"]
        ratio = (inside["expected_ltv"] / inside["expected_spend"])[inside["expected_spend"] > 0]

        assert ratio.max() - ratio.min() < 1e-9
        assert ratio.iloc[0] == pytest.approx(0.4 * 1.1 ** (-30 / 365), rel=1e-3)

    def test_interval_holds_the_expected_spend(self, scored):
        """Low <= expected <= high, and low is not negative."""
        inside = scored[scored["status"] == "scored"]

        assert (inside["expected_spend_low"] <= inside["expected_spend"]).all()
        assert (inside["expected_spend"] <= inside["expected_spend_high"]).all()
        assert (inside["expected_spend_low"] >= 0).all()

    def test_risk_rank_is_that_of_pandas(self, scored):
        """1 is the highest risk, equal risks share the better rank."""
        inside = scored[scored["status"] == "scored"]
        expected = inside["churn_probability"].rank(ascending=False, method="min")

        assert (inside["risk_rank"] == expected).all()

    def test_risk_bands_follow_the_configured_thresholds(self, scored):
        """Low below 0.33, high from 0.66, medium between."""
        inside = scored[scored["status"] == "scored"]
        bins = [-1, 0.33, 0.66, 2]
        expected = pd.cut(
            inside["churn_probability"], bins, right=False, labels=["low", "medium", "high"]
        )

        assert (inside["risk_band"] == expected.astype(str)).all()

    def test_level_is_the_purchase_models(self, shop, scored):
        """With ``level: purchase_model``, mean risk and total spend are the purchase model's own."""
        features = churnkit.build_features(shop.config).to_pandas()
        inside = scored[scored["status"] == "scored"]
        theirs = features.loc[inside.index]

        mean = 1 - theirs["purchase_model_order_probability"].mean()

        assert inside["churn_probability"].mean() == pytest.approx(mean, abs=2e-3)
        total = theirs["purchase_model_expected_spend"].sum()
        assert inside["expected_spend"].sum() == pytest.approx(total, rel=0.02)

    def test_predictions_of_a_customer_agree(self, scored):
        """P(order), orders, spend, lifetime value and value at risk are one view of the future."""
        inside = scored[scored["status"] == "scored"]
        ordering = 1.0 - inside["churn_probability"]

        value = inside["expected_spend"] / ordering
        margin = inside["expected_ltv"] / inside["expected_spend"]

        assert (inside["expected_orders"] >= ordering - 1e-12).all()
        assert margin.max() == pytest.approx(margin.min(), rel=1e-12)
        np.testing.assert_allclose(
            inside["value_at_risk"], inside["churn_probability"] * value * margin, rtol=1e-9
        )

    def test_lifetime_value_over_another_length(self, shop, score, scored):
        """A year ahead is worth more to everybody; nothing else of a row changes, and it is said."""
        longer = score(value_days=365)

        table = longer.to_pandas().set_index("customer_id").loc[scored.index]
        inside = scored["status"] == "scored"
        assert (table.loc[inside, "expected_ltv"] > scored.loc[inside, "expected_ltv"]).all()
        same = ["churn_probability", "expected_spend", "expected_orders", "value_at_risk"]
        pd.testing.assert_frame_equal(table[same], scored[same])
        assert longer.manifest["lifetime_value"]["horizon_days"] == 365
        total = longer.manifest["totals"]["expected_ltv"]
        assert total == pytest.approx(table["expected_ltv"].sum())

    def test_lifetime_value_over_the_trained_horizon_is_the_default(self, score, scored):
        """Asking for the horizon of the labels changes no value."""
        asked = score(value_days=60).to_pandas().set_index("customer_id").loc[scored.index]

        pd.testing.assert_series_equal(asked["expected_ltv"], scored["expected_ltv"])

    def test_the_manifest_says_how_sure_the_total_is(self, result):
        """The band holds the total that the table adds up to."""
        band, totals = result.manifest["expected_spend_total"], result.manifest["totals"]

        assert band["expected"] == pytest.approx(totals["expected_spend"])
        assert band["low"] < band["expected"] < band["high"]
        assert band["coverage"] == 0.8

    def test_next_order_is_after_as_of(self, shop, scored):
        """A next order cannot be in the known past."""
        expected = scored["expected_next_order_at"].dropna()

        assert len(expected) > 100
        assert (expected >= pd.Timestamp(shop.as_of, tz="UTC")).all()


class TestReasons:
    """Words for people."""

    def test_reasons_raise_the_risk_and_come_strongest_first(self, scored):
        """Contributions are positive and fall from the first reason to the last."""
        weights = scored[[f"reason_{i}_contribution" for i in (1, 2, 3)]]

        assert (weights.isna() | (weights > 0)).all(axis=None)
        assert (weights.diff(axis=1).iloc[:, 1:].fillna(0) <= 0).all(axis=None)

    def test_reasons_are_sentences(self, shop, scored):
        """No reason is, or holds, the bare name of a column."""
        columns = set(load_bundle(shop.bundle).feature_names)
        words = pd.concat([scored[f"reason_{i}"] for i in (1, 2, 3)]).dropna()

        assert len(words) > 300
        assert not [w for w in words if any(name in w for name in columns if "_" in name)]
        assert words.str.contains(" ").all()

    def test_a_customer_has_no_reason_twice(self, scored):
        """The features of a customer's reasons are distinct."""
        named = scored[[f"reason_{i}_feature" for i in (1, 2, 3)]]

        assert all(row.dropna().is_unique for _, row in named.iterrows())


class TestFiles:
    """The table as it lies on the disk."""

    def test_schema_is_the_declared_one(self, result):
        """Columns, order and types of the Parquet file are those of ``score_schema``."""
        declared = score_schema(reason_columns=REASONS, time_zone="UTC")

        written = pq.read_schema(result.output)

        assert written.remove_metadata().equals(declared)

    def test_csv_and_parquet_agree(self, result, score, tmp_path):
        """The same cells in both, ids as text in both."""
        parquet = result.to_pandas()
        csv = score(output=tmp_path / "scores.CSV").to_pandas()

        times = [c for c in parquet if c.endswith("_at")]
        csv[times] = csv[times].apply(lambda c: pd.to_datetime(c, utc=True, format="ISO8601"))
        parquet[times] = parquet[times].apply(lambda c: c.dt.tz_convert("UTC").dt.floor("s"))
        csv[times] = csv[times].apply(lambda c: c.dt.floor("s"))
        csv["as_of"] = pd.to_datetime(csv["as_of"]).dt.date
        frames = [
            f.drop(columns="scored_at").sort_values("customer_id").reset_index(drop=True)
            for f in (parquet, csv)
        ]
        assert list(frames[0]) == list(frames[1])
        assert_frame_equal(*(f.astype(object).where(f.notna(), None) for f in frames))

    def test_second_run_replaces_its_own_output(self, shop, score, tmp_path):
        """Rows set aside yesterday and sound today leave no file behind, and nothing else is left."""
        score()
        before = {p.name for p in (tmp_path / "out").iterdir()}
        sound = shop.orders[pd.to_numeric(shop.orders["amount"], errors="coerce").notna()]
        sound = sound[(sound["ts"] != "") & (sound["ts"] < shop.as_of)]
        sound.to_csv(tmp_path / "sound.csv", index=False)
        config = deepcopy(shop.config)
        config["data"]["orders"]["source"] = str(tmp_path / "sound.csv")

        result = score(config)

        assert before == {
            "scores.parquet",
            "scores.parquet.manifest.json",
            "scores.parquet.rejected.parquet",
        }
        assert {p.name for p in (tmp_path / "out").iterdir()} == {
            "scores.parquet",
            "scores.parquet.manifest.json",
        }
        assert result.manifest["rejected_rows"] == {}
        assert set(result.to_pandas()["customer_id"]) == set(sound["customer_id"])

    def test_rejected_rows_are_as_they_stood_with_their_reason(self, result):
        """The file beside the scores holds each row set aside as text, and why."""
        rejected = pq.read_table(f"{result.output}.rejected.parquet").to_pandas()
        row = rejected[rejected["customer_id"] == "only-rejected"].iloc[0]

        assert (row["amount"], row["reason"]) == ("abc", "amount is not a number")

    def test_killed_run_leaves_the_old_table_whole(self, shop, score, workplace):
        """SIGKILL after the first batch is written: table and manifest are yesterday's."""
        output = score().output
        old = {p.name: p.read_bytes() for p in output.parent.iterdir()}
        code = textwrap.dedent(
            """
            import json, sys, time
            import churnkit, churnkit.scoring.customers as customers
            from churnkit.data import sinks

            customers.BATCH_ROWS = 50
            write = sinks.CheckedSink.write

            def slowly(self, table):
                write(self, table)
                print("written", flush=True)
                time.sleep(60)

            sinks.CheckedSink.write = slowly
            churnkit.score(json.loads(sys.argv[1]), model=sys.argv[2])
            """
        )
        arguments = [json.dumps(shop.config, default=str), str(shop.bundle)]
        killed = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdout=subprocess.PIPE,
            cwd=workplace,
            env={**os.environ, "PYTHONPATH": str(Path(churnkit.__file__).parents[1])},
            text=True,
        )

        with killed:
            assert killed.stdout.readline() == "written\n"
            half = list(output.parent.glob(".scores.parquet.*.tmp"))
            killed.send_signal(signal.SIGKILL)
        now = {p.name: p.read_bytes() for p in output.parent.iterdir() if p.suffix != ".tmp"}

        assert killed.returncode == -signal.SIGKILL
        assert len(half) == 1
        assert now == old
        score()
        assert not list(output.parent.glob(".*.tmp"))


class TestModel:
    """The model decides how the data are read."""

    def test_column_that_the_model_knows_must_be_there(self, shop, score, tmp_path):
        """A file without the model's ``order_id`` is refused by name, as a guard of the model."""
        shop.orders.drop(columns="order_id").to_csv(tmp_path / "short.csv", index=False)
        config = deepcopy(shop.config)
        config["data"]["orders"] = {"source": str(tmp_path / "short.csv")}

        with pytest.raises(
            ModelGuardError, match=r"trained with order_id; .*short\.csv has no such column"
        ):
            score(config)

        assert not (tmp_path / "out").exists()

    def test_bundle_with_other_features_is_refused_by_name(self, shop, score, tmp_path):
        """Builders that no longer make a feature of the model are refused with its name."""
        bundle = load_bundle(shop.bundle)
        other = dataclasses.replace(bundle, features={"rfm": {"windows_days": [30, 90]}})
        save_bundle(other, tmp_path / "other")

        with pytest.raises(
            ModelGuardError, match=r"do not fit the model; missing: purchase_model_"
        ):
            score(model=tmp_path / "other")

    def test_missing_bundle_is_refused(self, score, tmp_path):
        """A folder without a bundle is a fault of the model; a wrong path is one of whoever gave it."""
        with pytest.raises(ModelGuardError, match=r"holds no model bundle"):
            score(model=tmp_path)
        with pytest.raises(ParameterError, match=r"nothing: no such folder"):
            score(model=tmp_path / "nothing")

    def test_scores_are_the_models_whatever_the_configuration_says_now(self, shop, result, score):
        """Features, population, time zone, refunds and margin come from the bundle."""
        config = deepcopy(shop.config)
        config["features"] = {"basket": {}}
        config["population"] = {"active_within_days": 20, "min_orders": 3}
        config["snapshots"] = {"horizon_days": 10, "observation_days": 50}
        config["data"] |= {"time_zone": "Asia/Tokyo", "refunds": "drop", "duplicates": "drop"}
        config["lifetime_value"] = {"gross_margin": 0.9}

        changed = score(config).to_pandas()

        same_scores(result.to_pandas(), changed)

    def test_orders_of_the_future_change_nothing(self, shop, result, score):
        """With ``as_of`` fixed, rows at or after it do not move a single number."""
        later = shop.orders.sample(400, random_state=3).assign(ts="2024-01-20T00:00:00")
        later["amount"] = "9999"
        later["order_id"] = [f"later{i}" for i in range(len(later))]
        strangers = later.assign(customer_id=[f"new{i}" for i in range(len(later))])

        after = score(tables={"orders": pd.concat([shop.orders, later, strangers])}).to_pandas()

        same_scores(result.to_pandas(), after)

    def test_same_data_give_the_same_scores(self, result, score):
        """Two runs differ in nothing but the moment."""
        again = score()

        same_scores(result.to_pandas(), again.to_pandas())


class TestFrames:
    """Frames in place of files."""

    @pytest.mark.parametrize(
        "frame", [lambda f: f, pl.from_pandas, lambda f: pa.Table.from_pandas(f)]
    )
    def test_frames_give_what_files_give(self, shop, result, score, frame):
        """Pandas, Polars and Arrow frames of the same rows give the same scores as the file."""
        from_frame = score(tables={"orders": frame(shop.orders)}).to_pandas()

        same_scores(result.to_pandas(), from_frame)

    def test_unknown_table_is_refused(self, shop, score):
        """A frame under a name that is no table would otherwise be forgotten."""
        with pytest.raises(
            ParameterError, match=r"unknown table 'order'\. Did you mean 'orders'\?"
        ):
            score(tables={"order": shop.orders})


class TestAsOf:
    """The day that is not known."""

    @pytest.mark.parametrize(
        "as_of", ["2024-01-20", pd.Timestamp("2024-01-20"), pd.Timestamp("2024-01-20", tz="UTC")]
    )
    def test_a_day_in_any_form_is_the_same_day(self, score, scored, as_of):
        """Text, a naive midnight and an aware one name the day of the configuration."""
        result = score(as_of=as_of)

        assert result.manifest["as_of"] == "2024-01-20"
        assert result.manifest["rows"] == len(scored)

    @pytest.mark.parametrize(
        ("as_of", "message"),
        [
            ("20.01.2024", r"as_of: must be a date such as 2011-12-10; got '20\.01\.2024'"),
            (pd.Timestamp("2024-01-20 12:00"), r"as_of: must be the beginning of a day in UTC"),
        ],
    )
    def test_what_is_no_day_is_refused(self, score, as_of, message):
        """A clock time or another notation is refused in a sentence."""
        with pytest.raises(ParameterError, match=message):
            score(as_of=as_of)

    def test_default_is_the_day_after_the_last(self, shop, score):
        """Without ``as_of`` the clock of the data decides."""
        config = deepcopy(shop.config)
        del config["scoring"]["as_of"]
        last = max(ts for ts in shop.orders["ts"] if ts)

        result = score(config)

        day_after = pd.Timestamp(last).normalize() + pd.Timedelta(days=1)
        assert result.manifest["as_of"] == str(day_after.date())
        assert "only-later" in set(result.to_pandas()["customer_id"])


def test_features_that_need_an_unknown_option_are_refused_before_data(shop, score):
    """A wrong option of a feature is said without reading the file, which need not exist."""
    config = deepcopy(shop.config)
    config["data"]["orders"]["source"] = "nowhere.csv"
    config["features"] = {"rfm": {"windows_days": [0]}, "purchase_model": {"kind": "nbd"}}

    began = time.monotonic()
    with pytest.raises(ConfigError, match=r"(?s)rfm: windows_days must.*unknown purchase model"):
        score(config)

    assert time.monotonic() - began < 5
