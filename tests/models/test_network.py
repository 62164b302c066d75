"""Who takes part in LightGBM's network, and what is left of it in the model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from churnkit.errors import ModelGuardError
from churnkit.models.base import FeatureMatrix
from churnkit.models.boosting import LightGBM
from churnkit.models.network import joined, without_addresses


class Told:
    """Peers of whom it is known what they say."""

    threads = 1
    host = "127.0.0.1"

    def __init__(self, *rows, rank=0):
        self.rank = rank
        self.others = [
            json.dumps({"rows": n, "at": f"127.0.0.1:{4000 + i}"}) for i, n in enumerate(rows)
        ]

    def gather(self, said):
        """Return what the others say, and in its place what this one says."""
        return [said if i == self.rank else other for i, other in enumerate(self.others)]


def test_only_tasks_with_rows_are_in_the_network():
    """The second has none: it is in nobody's list, and the first that has some gives the model."""
    with joined(Told(0, 0, 7, rank=0), rows=5) as network:
        at = network.parameters["machines"].split(",")
        port = network.parameters["local_listen_port"]

    assert (network.rows, network.takes_part, network.answers) == (12, True, True)
    assert network.parameters["num_machines"] == 2
    assert at == [f"127.0.0.1:{port}", "127.0.0.1:4002"]
    with joined(Told(5, 0, 7, rank=1), rows=0) as network:
        assert (network.takes_part, network.answers) == (False, False)
    with joined(Told(5, 0, 0, rank=2), rows=7) as network:
        assert (network.takes_part, network.answers) == (True, False)


def test_rows_nowhere_are_refused():
    """There is nothing to train on."""
    with (
        pytest.raises(ModelGuardError, match=r"^lightgbm: there must be rows.*no task has any$"),
        joined(Told(0, 0), rows=0),
    ):
        pass


def test_one_task_alone_fits_what_one_machine_fits():
    """Without others there is no network: the same trees, with the seed's own draws."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(500, 3)).astype(np.float32)
    rows = FeatureMatrix(names=("a", "b", "c"), values=values)
    churned = (values[:, 0] > 0.0).astype(np.float64)
    learner = LightGBM(threads=1)

    alone = learner.fit_among(rows, churned, objective="binary", rounds=10, peers=Told(500, 0))
    theirs = learner.fit(rows, churned, objective="binary", rounds=10)

    assert without_addresses(theirs.to_text()) == alone.to_text()
    nothing = rows[np.zeros(500, dtype=bool)]
    peers = Told(500, 0, rank=1)
    assert (
        learner.fit_among(nothing, churned[:0], objective="binary", rounds=10, peers=peers) is None
    )
