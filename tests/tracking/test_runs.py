"""What a run records, read back through MLflow's own client."""

from __future__ import annotations

import json
import signal

import mlflow
import pytest

from churnkit.errors import ParameterError
from churnkit.tracking.runs import flat
from churnkit.tracking.store import artifact_root


@pytest.fixture
def client(tracker):
    """Give MLflow's client on the tracker's store."""
    return mlflow.MlflowClient(tracking_uri=tracker.uri)


def test_flattens_nested_parameters_with_text_kept_and_the_rest_as_json():
    """Names join with dots; text stays as it is; numbers, lists, null and empty mappings are JSON."""
    config = {
        "name": "shop",
        "features": {"rfm": {"windows_days": (30, 90)}, "basket": {}},
        "as_of": None,
        "deep": {"list": [{"a": 1}]},
        "on": True,
    }

    assert dict(flat(config)) == {
        "name": "shop",
        "features.rfm.windows_days": "[30, 90]",
        "features.basket": "{}",
        "as_of": "null",
        "deep.list": '[{"a": 1}]',
        "on": "true",
    }


def test_records_parameters_metrics_documents_and_tags(tracker, client, tmp_path):
    """Everything logged is found again by MLflow; a metric that is None is left out."""
    report = tmp_path / "report.html"
    report.write_text("<p>ok</p>")

    with tracker.start_run("spring", run_name="first", tags={"team": "crm"}) as run:
        run.log_params({"seed": 7, "churn": {"calibration": "auto"}})
        run.log_metrics({"churn.auc": 0.8, "spend.interval_coverage": None}, step=0)
        run.log_metrics({"churn.auc": 0.7}, step=1)
        run.log_document("config.yaml", "name: é\n")
        run.log_document("tables/inputs.json", {"rows": 3, "when": (1, 2)})
        run.log_file(report, folder="report")

    found = client.get_run(run.run_id)
    assert client.get_experiment(run.experiment_id).name == "spring"
    assert found.info.run_name == "first"
    assert found.info.status == "FINISHED"
    assert found.data.tags["team"] == "crm"
    assert found.data.params == {"seed": "7", "churn.calibration": "auto"}
    assert found.data.metrics == {"churn.auc": 0.7}
    history = client.get_metric_history(run.run_id, "churn.auc")
    assert [(m.step, m.value) for m in history] == [(0, 0.8), (1, 0.7)]
    folder = artifact_root(tracker.uri) / run.run_id / "artifacts"
    assert (folder / "config.yaml").read_text(encoding="utf-8") == "name: é\n"
    assert json.loads((folder / "tables/inputs.json").read_text()) == {"rows": 3, "when": [1, 2]}
    assert (folder / "report/report.html").read_text() == "<p>ok</p>"


def test_takes_more_parameters_than_one_request_and_cuts_long_values(tracker, client):
    """600 parameters arrive; a value beyond MLflow's limit is cut and says so."""
    with tracker.start_run("many", run_name="many") as run:
        run.log_params({f"p{i}": i for i in range(600)} | {"long": "x" * 9000})

    params = client.get_run(run.run_id).data.params
    assert len(params) == 601
    assert params["p599"] == "599"
    assert params["long"] == "x" * 5999 + "…"


def test_failing_run_is_marked_failed_and_its_error_passes(tracker, client):
    """An exception in the block ends the run as FAILED and is not replaced."""
    with (
        pytest.raises(ZeroDivisionError, match="division"),
        tracker.start_run("fails", run_name="f") as run,
    ):
        _ = 1 / 0

    assert client.get_run(run.run_id).info.status == "FAILED"


def test_interrupted_run_is_marked_killed(tracker, client, request):
    """Ctrl-C in the block ends the run as KILLED."""
    # A shell starts what it runs in the background with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with (
        pytest.raises(KeyboardInterrupt, match=r"^$"),
        tracker.start_run("interrupted", run_name="k") as run,
    ):
        signal.raise_signal(signal.SIGINT)

    assert client.get_run(run.run_id).info.status == "KILLED"


def test_file_to_log_must_be_there(tracker):
    """A missing file is named before MLflow is asked."""
    with (
        pytest.raises(ParameterError, match=r"^log_file: path must be a file; got /no/such"),
        tracker.start_run("files", run_name="f") as run,
    ):
        run.log_file("/no/such/report.html")


def test_a_nested_run_is_finished_and_knows_its_parent(tracker, client):
    """What a search tried is a run of its own, in the same experiment, below the one that searched."""
    with tracker.start_run("spring", run_name="first") as run:
        made = run.log_nested("churn trial 3", params={"num_leaves": 7}, metrics={"loss": 0.9})

    found = client.get_run(made)
    assert found.data.tags["mlflow.parentRunId"] == run.run_id
    assert found.info.experiment_id == run.experiment_id
    assert (found.info.run_name, found.info.status) == ("churn trial 3", "FINISHED")
    assert (found.data.params, found.data.metrics) == ({"num_leaves": "7"}, {"loss": 0.9})
