"""Says in one sentence what Spark says in many lines, or no longer says."""

from __future__ import annotations

import re

__all__ = ["GONE", "sentence"]

GONE = (
    "engine: Spark's process ended before its work was done; it says why on stderr, and"
    " engine.memory_limit gives it more memory"
)
CAUSE = re.compile(r"^Caused by: [\w.$]+: (.*)$", re.MULTILINE)
# What a Python trace ends with; of our own errors without the name.
RAISED = re.compile(
    r"Traceback \(most recent call last\):\n(?:[ \t].*\n)+(?:churnkit\.errors\.\w+: )?(\S.*)$",
    re.MULTILINE,
)


def sentence(error: BaseException) -> str:
    """Return what Spark says before its notes, the plan and the trace, or what was the cause."""
    said = str(error)
    # The cause is below, whether it was raised in Java or by Python on a worker.
    causes = RAISED.findall(said) or CAUSE.findall(said)
    known = [cause for cause in causes if cause.startswith("[")] or causes
    if known and not said.startswith("["):
        said = known[-1]
    said = said.strip().split("SQLSTATE:")[0].split("\n\n")[0].split("\n\tat ")[0]
    said = " ".join(said.split())
    return (said if len(said) <= 300 else f"{said[:299]}…") or type(error).__name__
