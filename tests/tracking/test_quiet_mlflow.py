"""MLflow as the user of a command meets it: unseen."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from churnkit.tracking import Tracker
assert "mlflow" not in sys.modules, "MLflow is imported before it is used"
tracker = Tracker(None, folder=sys.argv[1])
with tracker.start_run("quiet", run_name="quiet") as run:
    run.log_metrics({"churn.auc": 0.8})
tracker.champion("nobody")
from mlflow.telemetry.client import get_telemetry_client
assert get_telemetry_client() is None, "telemetry is on"
"""


def test_fresh_store_prints_nothing_and_sends_no_telemetry(tmp_path, monkeypatch):
    """A process that makes the store and records a run writes nothing to stdout or stderr."""
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "MLFLOW_TRACKING_URI", "CI"):
        monkeypatch.delenv(name, raising=False)

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "models")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "models" / "mlflow.db").is_file()
