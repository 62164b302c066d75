"""The model that MLflow loads: its scores, its signature, its requirements, and no pickle in it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import mlflow
import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

from churnkit.data.sources import TableSpec
from churnkit.engines import DuckDBEngine
from churnkit.features.build import FEATURE_BUILDERS
from churnkit.features.history import read_history
from churnkit.reasons import Reasons, contributions, phrases_of
from churnkit.scoring import ScoreRequest, score_customers
from churnkit.tracking import Tracker
from churnkit.tracking.store import artifact_root

PICKLES = {".pkl", ".pickle", ".joblib", ".cloudpickle", ".dill", ".bin"}
AS_OF = date(2024, 1, 15)


@pytest.fixture(scope="module")
def logged(shop, empty_store, tmp_path_factory):
    """Give a tracker whose champion is the trained bundle."""
    folder = tmp_path_factory.mktemp("logged")
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
    with tracker.start_run("shop", run_name="one") as run:
        version = run.log_bundle(
            shop.bundle, shop.folder, risk_bands={"medium": 0.4, "high": 0.7}, reasons=2
        )
    tracker.promote("shop", version)
    return tracker


@pytest.fixture(scope="module")
def model(logged):
    """Give the champion as MLflow loads it."""
    mlflow.set_tracking_uri(logged.uri)
    yield mlflow.pyfunc.load_model("models:/shop@champion")
    mlflow.set_tracking_uri(None)


@pytest.fixture(scope="module")
def frame(shop):
    """Give the orders as a pandas user has them."""
    return shop.orders.to_pandas()


@pytest.fixture(scope="module")
def scores(model, frame):
    """Give what the model says of the orders by default."""
    return model.predict(frame)


def scored_by_hand(shop, *, as_of, reasons, bands):
    """Return the score table that the scoring room makes of the bundle itself."""
    bundle, parts = shop.bundle, []
    builders = [
        FEATURE_BUILDERS["rfm"](windows_days=(30, 90)),
        FEATURE_BUILDERS["purchase_model"](),
    ]
    words = Reasons(phrases=phrases_of(builders), typical=bundle.typical, count=reasons)

    def explain(features):
        return words.columns(features, contributions(bundle.models.churn.learner, features))

    with DuckDBEngine(threads=1) as engine:
        read = read_history(
            {"orders": TableSpec(source=shop.orders)}, engine=engine, time_zone="UTC"
        )
        score_customers(
            read.history,
            bundle,
            builders=builders,
            request=ScoreRequest(
                as_of=as_of or read.end_day,
                risk_bands=bands,
                reason_columns=words.column_names,
                explain=explain,
                scored_at=datetime.now(UTC),
            ),
            without_valid_rows=pa.table({"customer_id": pa.array([], pa.string())}),
            write=parts.append,
        )
    table = pa.concat_tables(parts).sort_by("customer_id")
    return table.to_pandas(date_as_object=False)


def test_loaded_model_returns_what_scoring_returns(scores, shop, frame):
    """As of the day after the last order, every column equals that of score_customers."""
    expected = scored_by_hand(shop, as_of=None, reasons=2, bands={"medium": 0.4, "high": 0.7})

    assert_frame_equal(scores.drop(columns="scored_at"), expected.drop(columns="scored_at"))
    assert len(scores) == frame["customer_id"].nunique()
    assert (scores["status"] == "scored").sum() > 100


def test_parameters_change_the_date_the_bands_and_the_reasons(model, shop, frame):
    """``as_of``, the bands and the number of reasons can be given with the orders."""
    bands = {"medium": 0.1, "high": 0.2}
    expected = scored_by_hand(shop, as_of=AS_OF, reasons=1, bands=bands)

    scores = model.predict(
        frame,
        params={
            "as_of": "2024-01-15",
            "reasons": 1,
            "risk_band_medium": 0.1,
            "risk_band_high": 0.2,
        },
    )

    assert_frame_equal(scores.drop(columns="scored_at"), expected.drop(columns="scored_at"))
    assert "reason_2" not in scores


def test_order_of_rows_and_columns_and_kind_of_ids_do_not_matter(model, frame, scores):
    """Shuffled rows, other columns beside, times and ids as text: the same scores."""
    other = frame.sample(frac=1.0, random_state=1)[["order_id", "amount", "ts", "customer_id"]]
    other = other.assign(
        ts=other["ts"].astype(str), customer_id=other["customer_id"].astype(str), note="x"
    )

    # Sums in another order end the search for the purchase model's parameters a hair elsewhere.
    assert_frame_equal(
        model.predict(other).drop(columns="scored_at"),
        scores.drop(columns="scored_at"),
        rtol=1e-6,
    )


def test_served_model_answers_json_with_json(model, frame, scores):
    """The scoring server's own entry point takes records with times as text and gives plain JSON."""
    from mlflow.pyfunc.scoring_server import invocations

    records = frame.assign(ts=frame["ts"].astype(str)).to_dict("records")
    request = {
        "dataframe_records": records,
        "params": {"missing_as_none": True},
    }

    answer = invocations(
        json.dumps(request), "application/json", model, model.metadata.get_input_schema()
    )

    def refuse(constant):
        pytest.fail(f"{constant} is no JSON")

    rows = json.loads(answer.response, parse_constant=refuse)["predictions"]
    assert answer.status == 200
    assert [row["customer_id"] for row in rows] == scores["customer_id"].tolist()
    served = pd.Series([row["churn_probability"] for row in rows], dtype=float)
    assert served.to_numpy() == pytest.approx(
        scores["churn_probability"].to_numpy(), nan_ok=True, rel=1e-9
    )


def test_signature_names_inputs_outputs_and_parameters(model, frame, scores):
    """The signature lists the trained columns, the score table's columns and the parameters."""
    signature = model.metadata.signature

    assert set(signature.inputs.input_names()) == set(frame.columns)
    assert signature.outputs.input_names() == scores.columns.tolist()
    assert {p.name: p.default for p in signature.params.params} == {
        "as_of": None,
        "reasons": 2,
        "risk_band_medium": 0.4,
        "risk_band_high": 0.7,
        "missing_as_none": False,
    }


def test_orders_without_a_trained_column_are_refused(model, frame):
    """The column is named."""
    with pytest.raises(mlflow.exceptions.MlflowException, match="order_id"):
        model.predict(frame.drop(columns="order_id"))


def test_logged_model_holds_no_pickle_and_pins_what_numbers_depend_on(logged):
    """The model is text and code: no pickle by name or by content; requirements are explicit."""
    (folder,) = (path.parent for path in artifact_root(logged.uri).rglob("MLmodel"))
    files = [path for path in folder.rglob("*") if path.is_file()]

    assert not [p for p in files if p.suffix in PICKLES]
    for path in files:
        path.read_bytes().decode("utf-8")
    described = (folder / "MLmodel").read_text()
    assert "loader_module: mlflow.pyfunc.loaders.code_model" in described
    assert (folder / "pyfunc_model.py").is_file()
    required = (folder / "requirements.txt").read_text().split()
    names = {line.split("==")[0] for line in required}
    assert {"churnkit-ml", "mlflow", "lightgbm", "duckdb", "pandas"} <= names
    assert all("==" in line for line in required)
