"""MLflow without its telemetry, its prints and its log lines, and with its errors in one sentence.

Importing MLflow here sets these environment variables where the user has not: telemetry off
(``MLFLOW_DISABLE_TELEMETRY``, ``DO_NOT_TRACK``), no run links on stdout, no progress bars, and two
retries of a request instead of seven, so that a server that is not there is noticed in seconds.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from churnkit.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["asking", "import_mlflow", "shown"]

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
UNREACHABLE = re.compile(r"API request to .* failed with exception", re.DOTALL)
OF_DATABASE = re.compile(r"\(\w+\.\w*Error\) ")
CAUSES = re.compile(
    r"Connection refused|timed out|Name or service not known|Temporary failure in name resolution"
    r"|No route to host|certificate verify failed|too many \d+ error responses",
    re.IGNORECASE,
)


def import_mlflow() -> Any:
    """Return the module ``mlflow``, imported without telemetry and without warnings."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
        import mlflow.artifacts
        import mlflow.pyfunc
    return mlflow


@contextmanager
def asking(uri: str) -> Iterator[Any]:
    """Give the module ``mlflow`` for calls that stay quiet and fail in one sentence.

    Parameters
    ----------
    uri : str
        Of the store or server that is asked, for the sentence.

    Raises
    ------
    ParameterError
        If MLflow raises: the server does not answer, or refuses the request.
    """
    mlflow = import_mlflow()
    # Not by the level of its loggers: MLflow sets those anew when it makes a database.
    disabled = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield mlflow
        except mlflow.exceptions.MlflowException as error:
            raise ParameterError(_sentence(str(error), uri=uri)) from error
        finally:
            logging.disable(disabled)


def shown(uri: str) -> str:
    """Return a URI without user name and password.

    Examples
    --------
    >>> shown("https://ana:secret@mlflow.example.com/base")
    'https://mlflow.example.com/base'
    """
    return uri.replace(_credentials(uri), "") if _credentials(uri) else uri


def _credentials(uri: str) -> str:
    host = urlsplit(uri).netloc
    return host[: host.rindex("@") + 1] if "@" in host else ""


def _sentence(message: str, *, uri: str) -> str:
    if UNREACHABLE.match(message):
        cause = CAUSES.search(message)
        why = f" ({cause.group().lower()})" if cause else ""
        return f"tracking.uri: no MLflow server answers at {shown(uri)}{why}"
    lines = message.split("\n")
    # SQLAlchemy may begin with advice; what the database said begins with the name of the error.
    first = " ".join(next((x for x in lines if OF_DATABASE.match(x)), lines[0]).split())
    if secret := _credentials(uri):
        first = first.replace(secret, "")
    return f"tracking.uri: {shown(uri)}: {first}"
