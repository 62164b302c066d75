"""LightGBM's own network between tasks that train one model: who takes part, and where."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churnkit.errors import ModelGuardError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from churnkit.engines import Peers

__all__ = ["Network", "joined", "without_addresses"]

ADDRESSES = re.compile(r"^\[(machines|local_listen_port|num_machines): .*\]$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Network:
    """The tasks that have rows to learn from.

    Attributes
    ----------
    rows : int
        Of all tasks together.
    parameters : dict
        What LightGBM has to know to reach the others; empty for one that is alone.
    takes_part, answers : bool
        Whether this task has rows, and whether it is the one that gives the model.
    """

    rows: int
    parameters: dict[str, Any]
    takes_part: bool
    answers: bool


@contextmanager
def joined(peers: Peers, *, rows: int) -> Iterator[Network]:
    """Give the network of the tasks that have rows; all must call it, those without rows as well.

    Parameters
    ----------
    peers : Peers
    rows : int
        That this task has.

    Raises
    ------
    ModelGuardError
        If no task has any.
    """
    with socket.socket() as held:
        # Held until all have one, so that no two tasks of a machine are given the same.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("", 0))
        port = held.getsockname()[1]
        all_said = peers.gather(json.dumps({"rows": rows, "at": f"{peers.host}:{port}"}))
    told = [json.loads(said) for said in all_said]
    members = [rank for rank, one in enumerate(told) if one["rows"]]
    if not members:
        msg = "lightgbm: there must be rows to train on; no task has any"
        raise ModelGuardError(msg)
    parameters: dict[str, Any] = {}
    if len(members) > 1:
        parameters = {
            "tree_learner": "data",
            "pre_partition": True,
            "num_machines": len(members),
            "machines": ",".join(told[rank]["at"] for rank in members),
            "local_listen_port": port,
        }
    with _quiet():
        yield Network(
            rows=sum(one["rows"] for one in told),
            parameters=parameters,
            takes_part=peers.rank in members,
            answers=peers.rank == members[0],
        )


def without_addresses(text: str) -> str:
    r"""Return a model's text without the addresses of the machines that it was trained on.

    Examples
    --------
    >>> without_addresses("[seed: 7]\n[machines: 10.0.0.1:4000,10.0.0.2:4000]\n[num_machines: 2]")
    '[seed: 7]\n[machines: ]\n[num_machines: ]'
    """
    return ADDRESSES.sub(r"[\1: ]", text)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what LightGBM's network prints, whatever its verbosity, from the output of this process."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(nowhere)
        os.close(kept)
