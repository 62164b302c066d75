"""What builders learn at training and keep: the levels of categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.features.build import FeatureBuilder, Known

__all__ = ["Learning", "category_names", "fit_builder", "unknown_values"]


@runtime_checkable
class Learning(Protocol):
    """What a builder has beside :class:`churnkit.features.build.FeatureBuilder` if it learns."""

    @property
    def category_names(self) -> tuple[str, ...]:
        """Features whose values are positions of levels, not amounts."""
        ...

    @property
    def learned(self) -> dict[str, Any]:
        """Options that hold what was learned, as plain values for JSON."""
        ...

    def fitted(self, known: Known) -> FeatureBuilder:
        """Return the builder with what the tables known at a cutoff teach it."""
        ...

    def unknown_values(self, known: Known) -> Mapping[str, int]:
        """Count the customers whose value is taken for missing though there is one, by column."""
        ...


def fit_builder(builder: FeatureBuilder, known: Known) -> tuple[FeatureBuilder, dict[str, Any]]:
    """Return a builder that has learned from the known tables, and the options that hold it."""
    if not isinstance(builder, Learning):
        return builder, {}
    fitted = builder.fitted(known)
    return fitted, fitted.learned if isinstance(fitted, Learning) else {}


def category_names(builders: Sequence[FeatureBuilder]) -> tuple[str, ...]:
    """Return the features of builders whose values are positions of levels."""
    learning = (b for b in builders if isinstance(b, Learning))
    return tuple(name for builder in learning for name in builder.category_names)


def unknown_values(builders: Sequence[FeatureBuilder], known: Known) -> dict[str, int]:
    """Count the customers whose value a model takes for missing though there is one, by column."""
    learning = (b for b in builders if isinstance(b, Learning))
    return {name: n for b in learning for name, n in b.unknown_values(known).items()}
