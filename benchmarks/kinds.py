"""Accuracy of the default models on kinds of shops that the simulator of churnkit does not know.

Run from the checkout::

    python benchmarks/kinds.py [--only NAME ...] [--seeds 1 2 3] [--cache DIR] [--output FILE]

Two test cutoffs for each kind and seed; no files are read. Prints, for each kind, the mean of each
metric beside the purchase model's, and wins, ties and losses against the best of all baselines, an
untuned LightGBM among them, in each column. ``FILE`` gets every number as JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kinds_calendar as calendar
import kinds_chance as chance
import numpy as np
from accuracy import COLUMNS, RESAMPLED, cell, evaluate
from histories import OrderHistory, origins

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = ["KINDS", "SimulatedKind"]


@dataclass(frozen=True, kw_only=True)
class SimulatedKind(OrderHistory):
    """A shop of one kind, as drawn from one seed.

    Attributes
    ----------
    make : callable
        Random generator → order table with ``customer_id``, ``order_id``, ``ts`` and ``amount``.
    seed : int
    """

    make: Callable[[np.random.Generator], pd.DataFrame]
    seed: int = 1

    def source(self, folder: Path) -> Any:  # noqa: ARG002 - nothing is read
        """Return the order table; nothing is read."""
        return self.make(np.random.default_rng(self.seed))


# Kind → horizon and days from one test cutoff to the next.
KINDS: dict[Callable[[np.random.Generator], pd.DataFrame], tuple[int, int]] = {
    calendar.charity: (365, 180),
    calendar.food_delivery: (28, 60),
    calendar.gift_shop: (90, 90),
    calendar.one_year: (60, 60),
    calendar.pharmacy: (90, 90),
    calendar.promotions: (60, 90),
    calendar.tickets: (90, 90),
    calendar.wholesaler: (60, 90),
    chance.currencies: (90, 90),
    chance.id_change: (90, 120),
    chance.marketplace: (90, 90),
    chance.nine_months: (45, 30),
    chance.one_giant: (90, 90),
    chance.returns: (90, 90),
    chance.start_up: (60, 60),
    chance.tiny_shop: (90, 90),
    chance.two_hundred_orders: (60, 60),
}


def shop(make: Callable[[np.random.Generator], pd.DataFrame], *, seed: int) -> SimulatedKind:
    """Return one shop of a kind."""
    horizon_days, step_days = KINDS[make]
    return SimulatedKind(
        name=f"{make.__name__}_{seed}",
        columns={"ts": "ts"},
        horizon_days=horizon_days,
        step_days=step_days,
        cutoffs=2,
        active_within_days=365,
        make=make,
        seed=seed,
    )


def counted(rows: list[dict[str, Any]], column: str) -> str:
    """Return wins, ties and losses against the best baseline of the column."""
    said = [r["verdicts"][column] for r in rows]
    return "/".join(str(said.count(verdict)) for verdict in ("win", "tie", "loss"))


def show(name: str, rows: list[dict[str, Any]]) -> None:
    """Print one kind: our means, those of the purchase model, and how often we won and lost."""
    for who in ("model", "bg_nbd"):
        print(f"{name:19}{who:9}" + "".join(f"{cell(rows, who, c):>10}" for c in COLUMNS))
    marks = (counted(rows, c) if c in RESAMPLED else "" for c in COLUMNS)
    print(f"{'':19}{'w/t/l':9}" + "".join(f"{mark:>10}" for mark in marks), flush=True)


def main() -> None:
    """Run every kind asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [make.__name__ for make in KINDS]
    parser.add_argument("--only", nargs="*", default=names, choices=names, metavar="NAME")
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--output", type=Path, default=None)
    options = parser.parse_args()
    logging.getLogger("churnkit").setLevel(logging.CRITICAL)
    heads = (c.split(".")[1].replace("_", " ")[:9] for c in COLUMNS)
    print(f"{'':28}" + "".join(f"{head:>10}" for head in heads))
    everything = []
    for make in KINDS:
        if make.__name__ in options.only:
            shops = [shop(make, seed=seed) for seed in options.seeds]
            found = origins(shops, data=Path(), cache=options.cache)
            rows = [evaluate(origin, ablation=False) for origin in found]
            show(make.__name__, rows)
            everything += rows
    show("all", everything)
    if options.output is not None:
        options.output.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
