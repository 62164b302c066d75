"""What is known of a customer beside behaviour: numbers as they are, texts as categories."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.errors import DataError, ParameterError
from churnkit.features.build import FEATURE_BUILDERS, Aggregation, Known, Phrase
from churnkit.features.options import checked_names
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Attributes"]

NUMBER = r"^\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$"
KNOWN = "attributes_known"


@FEATURE_BUILDERS.register("attributes")
@dataclass(frozen=True, kw_only=True)
class Attributes:
    """Attributes of customers from the table ``customers``, under the names of its columns.

    A number is taken as it is. A text is a *category*: the position of its level in ``levels``,
    which LightGBM splits as a set, not as an order. Levels are fixed at training: the most frequent
    among the customers known at the newest training cutoff, the bundle keeps them, and a level that
    is none of them is missing to the model. ``attributes_known`` says whether the customer has a row.

    Parameters
    ----------
    numbers : sequence of str, default ()
        Attributes that are numbers.
    categories : sequence of str, default ()
        Attributes that are texts.
    most_levels : int, default 50
        Levels of one category that training keeps, from 1 to 250; rarer ones are missing.
    levels : mapping of str to sequence of str, optional
        Levels by category, in order: what training has learned, or what a configuration fixes.

    Raises
    ------
    ParameterError
        If a name is repeated, ``most_levels`` is outside its range, or ``levels`` names what is no
        category.

    Notes
    -----
    *Leakage.* A table of customers usually holds what is known today: a status, a last plan or a
    score written after a customer left tells the model what it must not know yet, and no cutoff can
    cut it away. Name only what was fixed when the customer came. Where ``data.customers.columns``
    maps ``since``, the row is unknown at cutoffs up to that time: all attributes are null and
    ``attributes_known`` is 0.

    Null: attributes of customers without a row, empty cells, numbers that are not finite, and levels
    that are not known to the model.

    Examples
    --------
    >>> Attributes(numbers=["birth_year"], categories=["country"]).feature_names
    ('attribute_birth_year', 'attribute_country', 'attributes_known')
    """

    numbers: Sequence[str] = ()
    categories: Sequence[str] = ()
    most_levels: int = 50
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in ("numbers", "categories"):
            given = checked_names(getattr(self, name), where=f"attributes: {name}")
            object.__setattr__(self, name, given)
        checked_names((*self.numbers, *self.categories), where="attributes: numbers and categories")
        if not (type(self.most_levels) is int and 1 <= self.most_levels <= 250):
            msg = f"attributes: most_levels must be from 1 to 250; got {self.most_levels!r}"
            raise ParameterError(msg)
        levels: dict[str, tuple[str, ...]] = {}
        for name, texts in self.levels.items():
            if name not in self.categories:
                guess = did_you_mean(str(name), self.categories)
                msg = f"attributes: levels must be of categories; got {name!r}.{guess}"
                raise ParameterError(msg)
            levels[name] = checked_names(texts, where=f"attributes: levels.{name}")
        object.__setattr__(self, "levels", levels)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` needs."""
        return ("customers",)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features in order: numbers, categories, whether there is a row."""
        return tuple(self.phrases)

    @property
    def category_names(self) -> tuple[str, ...]:
        """Features whose numbers are positions of levels, not amounts."""
        return tuple(f"attribute_{name}" for name in self.categories)

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people."""
        said = {}
        for name in self.numbers:
            words = name.replace("_", " ")
            said[f"attribute_{name}"] = Phrase(text=f"{words} is {{value}}", name=words, exact=True)
        for name in self.categories:
            words, levels = name.replace("_", " "), self.levels.get(name, ())
            said[f"attribute_{name}"] = Phrase(
                text=f"{words} is {{value}}", name=words, words=tuple(levels)
            )
        said[KNOWN] = Phrase(
            text="{value}",
            name="whether the customer is in the table of customers",
            words=("not in the table of customers", "in the table of customers"),
        )
        return said

    @property
    def learned(self) -> dict[str, Any]:
        """What training adds to the options, for the bundle."""
        return {"levels": {name: list(levels) for name, levels in self.levels.items()}}

    def fitted(self, known: Known) -> Attributes:
        """Return the builder with the levels of every category, learned at a cutoff.

        Levels that are given stay; others are the most frequent first, equal ones by name.
        """
        rows, levels = self._rows(known), dict(self.levels)
        for name in self.categories:
            if name in levels:
                continue
            counted = (
                rows.join(known.everybody, on="customer_id", how="semi")
                .filter(~nw.col(name).is_null())
                .group_by(name)
                .agg(customers=nw.len().cast(nw.Int64))
            )
            found = known.engine.collect(counted).to_pylist()
            found.sort(key=lambda row: (-row["customers"], row[name]))
            levels[name] = tuple(row[name] for row in found[: self.most_levels])
        return replace(self, levels=levels)

    def unknown_values(self, known: Known) -> dict[str, int]:
        """Count customers whose value of an attribute the model takes for missing though there is one.

        Levels that training did not keep, and numbers that are none; attributes without such a
        customer are left out.
        """
        rows = self._rows(known).join(known.everybody, on="customer_id", how="semi")
        levels = self.levels
        marks = {
            name: ~nw.col(name).is_null() & ~nw.col(name).is_in(list(levels.get(name, ())))
            for name in self.categories
        }
        marks |= {
            name: ~nw.col(name).is_null() & ~nw.col(name).str.contains(NUMBER)
            for name in self.numbers
        }
        if not marks:
            return {}
        counts = {
            name: nw.when(mark).then(nw.lit(1)).otherwise(nw.lit(0)).sum()
            for name, mark in marks.items()
        }
        found = known.engine.collect(rows.select(**counts)).to_pylist()[0]
        return {name: int(n) for name, n in found.items() if n}

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        if missing := [name for name in self.categories if name not in self.levels]:
            msg = f"attributes: levels of {', '.join(missing)} must be learned before building"
            raise ParameterError(msg)
        names = (*self.numbers, *self.categories)
        aggregates = {f"_attributes_{name}": nw.col(name).max() for name in names}
        aggregates["_attributes_row"] = nw.col("customer_id").count().cast(nw.Float64)
        return [
            Aggregation(
                rows=self._rows(known),
                aggregates=aggregates,
                features={KNOWN: nw.col("_attributes_row").fill_null(0.0)},
                finish=_Reading(numbers=tuple(self.numbers), levels=self.levels).read,
            )
        ]

    def _rows(self, known: Known) -> Any:
        rows = known["customers"]
        given = rows.collect_schema().names()
        for name in (*self.numbers, *self.categories):
            if name not in given:
                others = [n for n in given if n not in {"customer_id", "since_us"}]
                guess = did_you_mean(name, others)
                msg = (
                    f"attributes: data.customers must have the attribute {name!r}; it has not."
                    f"{guess} Known: {', '.join(others) or 'none'}."
                )
                raise DataError(msg)
        return rows


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """Turns texts into numbers: their value, or the position of their level."""

    numbers: tuple[str, ...]
    levels: Mapping[str, Sequence[str]]

    def read(self, table: pa.Table) -> Mapping[str, Floats]:
        """Return the attributes as arrays, NaN where a value is missing or not known."""
        import pyarrow as pa
        import pyarrow.compute as pc

        made = {}
        for name in self.numbers:
            text = table[f"_attributes_{name}"].cast(pa.string())
            is_number = pc.match_substring_regex(text, NUMBER)
            plain = pc.if_else(is_number, pc.utf8_trim_whitespace(text), None)
            values = _array(pc.cast(plain.cast(pa.string()), pa.float64()))
            made[f"attribute_{name}"] = np.where(np.isfinite(values), values, np.nan)
        for name, levels in self.levels.items():
            text = table[f"_attributes_{name}"].cast(pa.string())
            place = pc.index_in(text, value_set=pa.array(levels, pa.string()))
            made[f"attribute_{name}"] = _array(pc.cast(place, pa.float64()))
        return made


def _array(column: Any) -> Floats:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
