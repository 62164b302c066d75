"""``churnkit metrics --view``: tables that fit 80 columns, sentences, files, JSON, exit codes."""

from __future__ import annotations

import pytest

from churnkit.config.yaml_text import dump_yaml
from churnkit.data.simulate import simulate_shop
from churnkit.pipeline.view_list import VIEWS

TABLES = ("orders", "events", "subscriptions", "marketing_costs")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with ``shop.yaml`` and the tables of a shop of ten months."""
    made = simulate_shop(customers=120, days=300, seed=4).to_pandas()
    place = tmp_path_factory.mktemp("shop")
    for name in TABLES:
        made[name].to_parquet(place / f"{name}.parquet")
    data = {name: {"source": f"{name}.parquet"} for name in TABLES}
    text = dump_yaml({"name": "shop", "engine": {"threads": 1}, "data": data})
    (place / "shop.yaml").write_text(text, encoding="utf-8")
    return place


@pytest.fixture
def metrics(folder, churnkit_command, monkeypatch):
    """Give a function that asks for metrics of the shop."""
    monkeypatch.chdir(folder)

    def ask(*options, columns=80):
        return churnkit_command("metrics", "shop.yaml", "-q", *options, columns=columns)

    return ask


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_every_view_fits_80_columns(metrics, view):
    """Title, table and what the view says; no line of a table is wider than 80 columns."""
    done = metrics("--view", view)

    assert (done.code, done.err) == (0, "")
    title, *lines = done.out.splitlines()
    assert title.startswith(f"shop: {view.replace('_', ' ')}, 202")
    rule = next(n for n, line in enumerate(lines) if line.strip(" ─") == "" and "─" in line)
    table = lines[: rule + 1 + next(n for n, x in enumerate(lines[rule + 1 :]) if not x.strip())]
    assert len(table) > 3
    assert max(len(line.rstrip()) for line in table) <= 80
    assert "…" not in done.out


def test_a_wider_terminal_shows_more_ages(metrics):
    """The ages that fit are shown, the others are said to be in the file."""
    narrow = metrics("--view", "cohorts", columns=60)
    wide = metrics("--view", "cohorts", columns=140)

    assert "Shown are ages 0 to 5 of 8; all with --output FILE." in narrow.out
    assert "Shown are" not in wide.out


def test_a_triangle_shows_the_measure_asked_for(metrics):
    """Customers instead of rates: the first column is the size of the cohort."""
    done = metrics("--view", "cohorts", "--measure", "customers", "--every", "quarter")

    assert ": customers by quarter" in done.out
    rows = [line.split() for line in done.out.splitlines() if line.strip().startswith("2023-")]
    assert rows
    assert all(row[1] == row[2] for row in rows)


def test_machines_get_one_line_and_files(metrics, folder):
    """JSON on stdout has the rows; the file is said to be written."""
    plain = metrics("--view", "segments", "--json").json
    done = metrics("--view", "segments", "--output", "out/segments.csv")

    assert plain["view"] == "segments"
    assert sum(row["customers"] for row in plain["rows"]) > 0
    assert "Metrics:  out/segments.csv" in done.out
    assert (folder / "out" / "segments.csv").read_text().startswith('"segment","customers"')


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--view", "cohort"), "Did you mean 'cohorts'?"),
        (("--view", "survival", "--measure", "rate"), "measure is only for the view cohorts"),
        (("--view", "cohorts", "--set", "retention.funnel_steps=[a]"), "at least two event types"),
        (("--view", "cohorts", "--set", "data.orders=null"), "the view 'cohorts' needs it"),
    ],
)
def test_faults_are_a_sentence_and_exit_code_2(metrics, options, sentence):
    """What cannot be shown is said in one sentence on stderr."""
    done = metrics(*options)

    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
