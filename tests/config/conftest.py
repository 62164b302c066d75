"""What the tests of configurations share: the smallest one, one value changed, and what is said."""

from __future__ import annotations

import copy

import pytest

from churnkit.config import Config
from churnkit.errors import ConfigError


@pytest.fixture
def minimal():
    """Return the smallest configuration there is, as a mapping."""
    return {"name": "shop", "data": {"orders": {"source": "orders.csv"}}}


@pytest.fixture
def with_value(minimal):
    """Return a function that gives the smallest configuration with one value set."""

    def build(path, value):
        mapping = copy.deepcopy(minimal)
        *above, last = path.split(".")
        node = mapping
        for step in above:
            node = node.setdefault(step, {})
        node[last] = value
        return mapping

    return build


@pytest.fixture
def message_of():
    """Return a function that gives what the refusal of a mapping says."""

    def refused(mapping):
        with pytest.raises(ConfigError, match=r"^c\.yaml: ") as caught:
            Config.from_mapping(mapping, where="c.yaml")
        return str(caught.value)

    return refused


@pytest.fixture
def write(tmp_path):
    """Return a function that puts text into a file and returns its path."""

    def put(text, name="c.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return put
