"""Registry: binding names to factories, and what is said of a name that is not there."""

from __future__ import annotations

import pytest

from churnkit.errors import ParameterError, UnknownNameError
from churnkit.registry import Registry, did_you_mean


@pytest.fixture
def shapes():
    """Give a registry with two names."""
    registry: Registry[str] = Registry("shape")
    registry.register("square")(lambda side: f"square of {side}")
    registry.register("circle")(lambda radius: f"circle of {radius}")
    return registry


def test_gives_the_factory_back_as_it_was():
    """The decorator returns the class itself, and the name finds it."""
    registry: Registry[object] = Registry("shape")

    @registry.register("dot")
    class Dot:
        pass

    assert registry["dot"] is Dot
    assert isinstance(registry["dot"](), Dot)


def test_names_are_sorted_whatever_the_order_of_registration(shapes):
    """Lists shown to people do not depend on which module was imported first."""
    assert shapes.names() == ("circle", "square")
    assert "circle" in shapes
    assert "cube" not in shapes
    assert 7 not in shapes


def test_a_name_cannot_be_taken_twice(shapes):
    """A second registration would silently replace the first: it is refused."""
    with pytest.raises(ParameterError, match=r"shape 'circle' is already registered by <function"):
        shapes.register("circle")(print)


def test_an_unknown_name_offers_the_nearest_and_all(shapes):
    """The message has the kind, the name, a guess and what is known."""
    message = r"^unknown shape 'cirle'\. Did you mean 'circle'\? Known: circle, square\.$"
    with pytest.raises(UnknownNameError, match=message):
        shapes["cirle"]


def test_an_empty_registry_says_that_it_has_nothing():
    """Without names there is no guess and no empty list."""
    with pytest.raises(UnknownNameError, match=r"^unknown shape 'x'\. Known: none\.$"):
        Registry("shape")["x"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("timestmp", " Did you mean 'timestamp'?"), ("zzz", ""), ("", "")],
)
def test_guesses_only_near_names(name, words):
    """A far name gets no guess at all."""
    assert did_you_mean(name, ["timestamp", "amount"]) == words
