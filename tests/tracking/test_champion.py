"""decide_champion, at both tolerances and with metrics that are not there."""

from __future__ import annotations

import math

import pytest

from churnkit.tracking import decide_champion

CHAMPION = {"churn.log_loss": 0.5, "spend.gini_normalized": 0.7}


@pytest.mark.parametrize(
    ("log_loss", "gini", "moves"),
    [
        (0.4, 0.8, True),
        (0.5, 0.7, True),
        (0.5004, 0.7, True),
        (0.5006, 0.9, False),
        (0.5, 0.6991, True),
        (0.1, 0.6989, False),
    ],
)
def test_moves_only_when_no_worse_within_the_tolerances(log_loss, gini, moves):
    """Log loss may be 0.1 % higher and Gini 0.001 lower; no gain in one pays for a loss in the other."""
    new = {"churn.log_loss": log_loss, "spend.gini_normalized": gini}

    decided, sentence = decide_champion(new, CHAMPION)

    assert decided is moves
    assert sentence.startswith("no worse than the champion: " if moves else "worse than")


def test_names_what_is_worse():
    """The sentence names the metric that is worse with both values, and not the other."""
    new = {"churn.log_loss": 0.6, "spend.gini_normalized": 0.9}

    _, sentence = decide_champion(new, CHAMPION)

    assert sentence == "worse than the champion: churn.log_loss 0.6000 (champion 0.5000)"


def test_negative_gini_has_the_same_tolerance():
    """A Gini below zero is compared like any other number."""
    old = {"spend.gini_normalized": -0.2}

    assert decide_champion({"spend.gini_normalized": -0.2005}, old)[0]
    assert not decide_champion({"spend.gini_normalized": -0.202}, old)[0]


@pytest.mark.parametrize("missing", [None, math.nan])
def test_metric_that_only_the_new_model_lacks_counts_as_worse(missing):
    """A model whose metric is undefined does not replace one whose metric is known."""
    decided, sentence = decide_champion({**CHAMPION, "churn.log_loss": missing}, CHAMPION)

    assert not decided
    assert sentence == "worse than the champion: churn.log_loss undefined (champion 0.5000)"


def test_metric_that_the_champion_lacks_is_not_compared():
    """Where the champion has no number, there is nothing to be worse than."""
    decided, sentence = decide_champion(CHAMPION, {"churn.log_loss": None})

    assert decided
    assert sentence == "no worse than the champion: it has no metric to compare with"
