"""A coordinate system on the page: its ranges, grid and labels, and the shapes that are drawn in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from churnkit.reporting.numbers import nice_ticks, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["HEIGHT", "WIDTH", "Axes", "Shape", "path_of"]

WIDTH, HEIGHT = 370, 250
LEFT, RIGHT, TOP, BOTTOM = 60, 18, 12, 44


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One SVG element: its tag, attributes, and the text in it or the tooltip on it."""

    tag: str
    attributes: dict[str, Any]
    text: str = ""
    tooltip: str = ""


@dataclass(frozen=True, kw_only=True)
class Axes:
    """Two axes: their ranges, names and how their numbers are written."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_name: str = ""
    y_name: str = ""
    x_ticks: Sequence[tuple[float, str]] = ()
    y_format: Callable[[float], str] = field(default=short)
    height: int = HEIGHT

    def at_x(self, value: float) -> float:
        """Return the place of a value on the page."""
        low, high = self.x
        return round(LEFT + (value - low) / ((high - low) or 1.0) * (WIDTH - LEFT - RIGHT), 1)

    def at_y(self, value: float) -> float:
        """Return the height of a value on the page; SVG counts from the top."""
        low, high = self.y
        inside = self.height - TOP - BOTTOM
        return round(TOP + (high - value) / (high - low) * inside, 1)

    def across(self, style: str, y: float) -> Shape:
        """Return the horizontal line at a value of y."""
        at = self.at_y(y)
        ends = {"x1": LEFT, "y1": at, "x2": WIDTH - RIGHT, "y2": at}
        return Shape(tag="line", attributes={"class": style, **ends})

    def shapes(self) -> list[Shape]:
        """Return grid lines, tick labels and the names of the axes."""
        drawn = []
        bottom = self.height - BOTTOM
        for tick in nice_ticks(*self.y):
            if not self.y[0] - 1e-9 <= tick <= self.y[1] + 1e-9:
                continue
            at = self.at_y(tick)
            style = "axis" if tick == 0 else "grid"
            drawn.append(self.across(style, tick))
            drawn.append(_text("tick end", LEFT - 6, at + 4, self.y_format(tick)))
        for value, text in self.x_ticks:
            drawn.append(_text("tick middle", self.at_x(value), bottom + 16, text))
        middle = (LEFT + WIDTH - RIGHT) / 2
        drawn.append(_text("axis-name middle", middle, self.height - 6, self.x_name))
        if self.y_name:
            turned = f"rotate(-90 10 {(TOP + bottom) / 2})"
            drawn.append(
                Shape(
                    tag="text",
                    attributes={
                        "class": "axis-name middle",
                        "x": 10,
                        "y": (TOP + bottom) / 2,
                        "transform": turned,
                    },
                    text=self.y_name,
                )
            )
        return drawn


def _text(style: str, x: float, y: float, text: str) -> Shape:
    return Shape(tag="text", attributes={"class": style, "x": x, "y": y}, text=text)


def path_of(xs: Sequence[float], ys: Sequence[float]) -> str:
    """Return the path through points of the page."""
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in zip(xs, ys, strict=True))
