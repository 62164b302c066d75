"""The page of metrics: every formula is on it, with its variants and when it has no value."""

from __future__ import annotations

from churnkit.formulas import FORMULAS, formula_info
from churnkit.retention.reference import METRIC_SOURCES, metrics_reference


def test_every_formula_says_which_tables_it_needs():
    """A new formula cannot be left out of the page."""
    assert sorted(METRIC_SOURCES) == sorted(FORMULAS.names())


def test_every_formula_has_its_section():
    """Formula, variants with their meaning, and each reason for a missing value are told."""
    page = metrics_reference()

    for name in FORMULAS.names():
        info = formula_info(name)
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert info.formula in section
        assert info.source in section
        for variant, meaning in info.variants.items():
            assert f"- `{variant}`: {meaning}" in section
        for case in info.zero_cases:
            assert FORMULAS[name](**case).reason in section


def test_the_table_links_to_the_sections():
    """Each row of the overview leads to a section of the page."""
    lines = metrics_reference().splitlines()

    rows = [line for line in lines if line.startswith("| [`")]
    assert len(rows) == len(FORMULAS.names())
    assert all(f"## {row.split('`')[1]}" in lines for row in rows)
