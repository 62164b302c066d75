"""The verbs ``validate``, ``train`` and ``backtest``: what they find, keep, register and refuse."""

from __future__ import annotations

import json
from copy import deepcopy

import mlflow
import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

import churnkit
from churnkit.errors import ConfigError, DataError, ParameterError
from churnkit.models.bundle import load_bundle
from churnkit.pipeline import promote
from churnkit.tracking import Tracker

BASELINES = {"base_rate", "recency", "persistence", "formula", "bg_nbd", "mbg_nbd"}


def test_model_stands_beside_six_baselines(shop):
    """Every test snapshot has the model and all baselines with the same customers."""
    tested = shop.trained.backtest

    assert [s.cutoff for s in tested.snapshots] == ["2023-11-21"]
    assert set(tested.snapshots[0].models) == {"model", *BASELINES}
    assert tested.snapshots[0].models["model"]["churn.auc"] > 0.6


def test_test_metrics_are_those_of_scores_as_of_the_cutoff(shop, score):
    """AUC and log loss of the training run are scikit-learn's on scores as of the test cutoff."""
    config = deepcopy(shop.config)
    cutoff = shop.trained.backtest.snapshots[0].cutoff
    orders = shop.orders[shop.orders["ts"] != ""]
    orders = orders[orders["amount"].str.fullmatch(r"[0-9.]+")]
    after = orders[(orders["ts"] >= cutoff) & (orders["ts"] < shop.as_of)]
    del config["scoring"]["as_of"]

    table = score(config, as_of=cutoff).to_pandas().query("status == 'scored'")
    churned = ~table["customer_id"].isin(after["customer_id"])

    metrics = shop.trained.backtest.snapshots[0].models["model"]
    assert metrics["churn.auc"] == pytest.approx(
        roc_auc_score(churned, table["churn_probability"]), abs=1e-9
    )
    assert metrics["churn.log_loss"] == pytest.approx(
        log_loss(churned, table["churn_probability"]), abs=1e-9
    )


def test_bundle_holds_what_scoring_needs_and_no_code(shop):
    """The folder is JSON, LightGBM text and the model card; it knows how the data were read."""
    bundle = load_bundle(shop.bundle)

    assert {p.suffix for p in shop.bundle.iterdir()} == {".json", ".md", ".txt"}
    assert bundle.population == {"active_within_days": 180, "min_orders": 1}
    assert bundle.data["columns"] == ["amount", "customer_id", "order_id", "ts"]
    assert set(bundle.typical) == set(bundle.feature_names)
    assert set(bundle.distribution) == {*bundle.feature_names, "churn_probability"}
    assert bundle.provenance["config_hash"] == shop.trained_hash


def test_better_worse_and_promoted(shop, workplace):
    """The first model is champion, the same again takes over, a worse one does not, by hand it does."""
    config = deepcopy(shop.config)
    config["tracking"] = {"registered_model": "shop_churn", "experiment": "trials"}
    worse = deepcopy(config)
    hopeless = {"num_leaves": 2, "learning_rate": 1e-6}
    worse["churn"] = {"params": hopeless, "calibration": "none", "level": "none"}
    worse["features"] = {"rfm": {"windows_days": [30]}}

    first, again, last = (churnkit.train(c) for c in (config, config, worse))
    champion = Tracker(None, folder=workplace / "models").champion("shop_churn")
    promote("shop_churn", last.version)

    assert (first.version, first.is_champion) == ("1", True)
    assert first.champion_reason == "there was no champion"
    assert (again.version, again.is_champion) == ("2", True)
    assert first.backtest.to_dict() == again.backtest.to_dict()
    assert (last.version, last.is_champion) == ("3", False)
    assert "worse than the champion: " in last.champion_reason
    assert champion.version == "2"
    tracker = Tracker(None, folder=workplace / "models")
    assert tracker.champion("shop_churn").version == "3"
    assert json.loads((last.bundle_folder / "bundle.json").read_text())["version"] == "3"


def test_a_run_that_registered_meanwhile_keeps_its_folder(shop, workplace, monkeypatch):
    """The version of the registry decides, and what another run has written stays as it was."""
    first = churnkit.train(shop.config)
    bundle = first.bundle_folder / "bundle.json"
    written = (bundle.stat().st_ino, bundle.read_text())
    monkeypatch.setattr(Tracker, "next_version", lambda self, name: first.version)

    later = churnkit.train(shop.config)

    assert (first.version, later.version) == ("1", "2")
    assert (bundle.stat().st_ino, bundle.read_text()) == written
    assert load_bundle(later.bundle_folder).version == "2"
    assert ", version 2\n" in (later.bundle_folder / "MODEL_CARD.md").read_text()


def test_a_search_is_logged_kept_and_told(shop, workplace, score):
    """Trials are nested runs; what was found is in the bundle and in the manifest of its scores."""
    config = deepcopy(shop.config)
    config["search"] = {"trials": 3, "folds": 1}

    trained = churnkit.train(config)
    manifest = score(model=trained.bundle_folder).manifest

    client = mlflow.MlflowClient(tracking_uri=Tracker(None, folder=workplace / "models").uri)
    runs = client.search_runs([client.get_experiment_by_name("shop").experiment_id])
    nested = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == trained.run_id]
    assert sorted(r.info.run_name for r in nested) == [
        f"{target} trial {k}" for target in ("churn", "lifetime_value") for k in range(3)
    ]
    assert all("search.loss.2023-09-22" in r.data.metrics for r in nested)
    found = {s["target"]: s["found"] for s in manifest["model"]["search"]}
    settings = load_bundle(trained.bundle_folder).models.settings
    for section, params in (
        ("churn", settings.churn_params),
        ("lifetime_value", settings.spend_params),
    ):
        assert params == config[section]["params"] | found[section]
    assert [s["trials"] for s in trained.notes["search"]] == [3, 3]


def test_model_of_another_horizon_is_not_compared(shop, workplace):
    """Metrics of 30 and of 60 days ahead cannot be compared: the champion stays, and says why."""
    shorter = deepcopy(shop.config)
    shorter["snapshots"]["horizon_days"] = 30
    churnkit.train(shop.config)

    other = churnkit.train(shorter)

    assert not other.is_champion
    assert "trained with another snapshot" in other.champion_reason


def test_backtest_trains_as_of_each_cutoff_and_registers_nothing(shop, workplace):
    """Two origins, each trained on fewer or as many rows as the later; the JSON file is the result."""
    config = deepcopy(shop.config)
    config["snapshots"] |= {"test": 2, "every_days": 30}

    tested = churnkit.backtest(config, output=workplace / "out" / "backtest.json")

    written = json.loads((workplace / "out" / "backtest.json").read_text())
    assert written == json.loads(json.dumps(tested.to_dict()))
    assert [s["cutoff"] for s in written["snapshots"]] == ["2023-10-22", "2023-11-21"]
    assert list(written["snapshots"][0]) == [
        "cutoff",
        "horizon_days",
        "customers",
        "train_rows",
        "models",
        "calibration",
    ]
    assert set(tested.to_pandas()["model"]) == {"model", *BASELINES}
    assert Tracker(None, folder=workplace / "models").champion("shop") is None
    assert not (workplace / "models" / "shop").exists()


def test_validate_says_what_was_read_and_planned(shop):
    """Counts per check and the cutoffs, those left out by name."""
    result = churnkit.validate(shop.config)

    checks = {c.name: c.rows for c in result.tables[0].checks if c.rows}
    later = int((shop.orders["ts"] >= shop.as_of).sum())
    repeated = shop.orders[(shop.orders["ts"] < shop.as_of)].duplicated().sum()
    assert checks == {
        "exact_duplicates": repeated,
        "ts_missing": 1,
        "ts_in_future": later,
        "amount_missing": 1,
        "amount_not_numeric": 2,
    }
    assert result.train_cutoffs == ("2023-07-24", "2023-09-22")
    assert result.test_cutoffs == ("2023-11-21",)
    assert result.end_day == shop.as_of


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (0, r"orders: .*orders\.csv holds no row"),
        (1, r"snapshots: 1 days of orders .* are too short for a horizon of 60 days"),
    ],
)
def test_too_little_data_is_a_sentence(config_of, tmp_path, rows, message):
    """A header alone, and a history of one day, are refused."""
    lines = ["customer_id,ts,amount,order_id", "a,2023-05-01,10,1"]
    (tmp_path / "orders.csv").write_text("\n".join(lines[: rows + 1]) + "\n")

    with pytest.raises(DataError, match=message):
        churnkit.validate(config_of(tmp_path / "orders.csv"))


def test_names_that_are_not_registered_are_refused_together(config_of):
    """Model, calibration and feature in one message, each with the nearest name."""
    config = config_of(
        "orders.csv",
        churn={"model": "lightgmb", "calibration": "betta"},
        features={"rmf": {}, "rfm": {"window_days": [30]}},
    )

    with pytest.raises(ConfigError) as refused:
        churnkit.validate(config)

    assert str(refused.value).splitlines() == [
        "shop: churn.model: unknown name 'lightgmb'. Did you mean 'lightgbm'? Known: lightgbm.",
        "shop: churn.calibration: unknown name 'betta'. Did you mean 'beta'?"
        " Known: auto, beta, isotonic, none, venn_abers.",
        "shop: features.rmf: unknown name 'rmf'. Did you mean 'rfm'?"
        f" Known: {', '.join(known_features())}.",
        "shop: features.rfm.window_days: unknown key. Did you mean 'windows_days'?"
        " Known: windows_days, half_lives_days.",
    ]


def known_features():
    """Return the registered builders."""
    return churnkit.pipeline.list_names("features").names


def test_features_as_of_a_day_do_not_see_later_rows(shop):
    """``build_features`` gives the same table whether later rows are there or not."""
    day = "2023-09-01"
    config = deepcopy(shop.config)
    del config["scoring"]["as_of"]
    earlier = shop.orders[(shop.orders["ts"] != "") & (shop.orders["ts"] < day)]

    everything = churnkit.build_features(config, as_of=day)
    known = churnkit.build_features(config, as_of=day, tables={"orders": earlier})

    assert everything.cutoff == known.cutoff
    frames = everything.to_pandas(), known.to_pandas()
    assert list(frames[0].index) == list(frames[1].index)
    assert np.array_equal(*(f.to_numpy() for f in frames), equal_nan=True)


def test_a_share_of_the_customers_keeps_the_base_rate(shop, config_of, workplace):
    """Half of the customers are learned from and tested on; all of them would be scored; it is said."""
    said = []
    snapshots = {**shop.config["snapshots"], "customers_share": 0.5}

    half = churnkit.train(config_of(shop.csv, snapshots=snapshots), progress=said.append)

    ours, theirs = (t.backtest.snapshots[0] for t in (half, shop.trained))
    assert 0.35 < ours.customers / theirs.customers < 0.65
    assert 0.35 < ours.train_rows / theirs.train_rows < 0.65
    rates = [s.models["model"]["churn.base_rate"] for s in (ours, theirs)]
    assert rates[0] == pytest.approx(rates[1], abs=0.1)
    assert half.notes["customers_share"] == 0.5
    assert "learning from 50% of the customers, drawn by id; each stands for 2" in said


def test_a_store_that_does_not_answer_is_noticed_before_training(shop, workplace):
    """Hours of training are not lost to a server that was away all the time."""
    config = deepcopy(shop.config) | {"tracking": {"uri": "http://127.0.0.1:9"}}
    told: list[str] = []

    with pytest.raises(ParameterError, match=r"no MLflow server answers at http://127\.0\.0\.1:9"):
        churnkit.train(config, progress=told.append)

    assert not any("features" in step for step in told)
