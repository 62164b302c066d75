"""MLflow as the user of a command meets it: unseen."""

from __future__ import annotations

import os
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
from mlflow.telemetry.utils import is_telemetry_disabled
assert is_telemetry_disabled(), "telemetry is on"
"""


# Nothing that tells MLflow of a test or of CI, where it sends no telemetry anyway.
KEPT = ("PATH", "HOME", "PYTHONPATH", "SYSTEMROOT", "TMPDIR", "TEMP", "OMP_NUM_THREADS")


def test_fresh_store_prints_nothing_and_sends_no_telemetry(tmp_path):
    """A process that makes the store and records a run writes nothing to stdout or stderr."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "models")],
        env={name: os.environ[name] for name in KEPT if name in os.environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "models" / "mlflow.db").is_file()
