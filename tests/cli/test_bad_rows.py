"""Bad rows through ``churnkit metrics``: counted, set aside, quoted, and out of the metrics."""

from __future__ import annotations

import pandas as pd
import pytest

from churnkit.config.yaml_text import dump_yaml

FILES = {
    # s1 overlaps itself, s3 ends before it starts.
    "subscriptions": """customer_id,subscription_id,started_at,ended_at,mrr
a,s1,2023-01-01,2023-06-01,10
a,s1,2023-05-01,,20
b,s2,2023-01-01,,30
c,s3,2023-03-01,2023-02-01,40
d,s4,2023-02-01,,50
""",
    # One NPS of 11 among eleven answers; the CSAT is on a scale of ten.
    "surveys": "customer_id,ts,survey,score\n"
    + "".join(f"c{n},2023-03-01,nps,{score}\n" for n, score in enumerate([11, *[9] * 8, 3, 7]))
    + "".join(f"d{n},2023-03-01,csat,{score}\n" for n, score in enumerate([9, 10, 8, 4])),
    "support_tickets": """customer_id,opened_at,resolved_at
a,2023-03-01T10:00:00,2023-03-01T12:00:00
b,2023-03-02T10:00:00,2023-03-01T09:00:00
d,2023-03-03T10:00:00,
""",
}


@pytest.fixture
def service(tmp_path, monkeypatch):
    """Work in a folder with ``service.yaml`` and the files."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    data = {name: {"source": f"{name}.csv"} for name in FILES}
    (tmp_path / "service.yaml").write_text(dump_yaml({"name": "service", "data": data}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_bad_rows_are_counted_set_aside_and_quoted(service, churnkit_command):
    """Each rule says how many rows broke it and shows one; the metrics are of the others."""
    done = churnkit_command(
        "metrics", "service.yaml", "-q", "--start", "2023-01-05", "--end", "2023-07-01"
    )

    assert done.code == 0
    for sentence in (
        "subscriptions: 1 of 5 rows set aside, the period overlaps the next one of the same"
        " subscription_id, such as subscription_id s1.",
        "subscriptions: 1 of 5 rows set aside, ended_at is before started_at, such as customer_id c.",
        "surveys: 4 of 15 rows set aside, score is not on the scale of its survey (csat 1 to 5, nps"
        " 0 to 10, ces 1 to 7), such as score 10, score 11, score 8.",
        "surveys: 4 of 15 rows set aside, the survey is on another scale: more than 10 % of its"
        " answers do not fit (csat 1 to 5, nps 0 to 10, ces 1 to 7), such as survey csat.",
        "support_tickets: 1 of 3 rows set aside, resolved_at is before opened_at, such as"
        " customer_id b.",
    ):
        assert sentence in done.out
    rows = {line.split()[0]: line.split() for line in done.out.splitlines() if line.strip()}
    assert rows["support_contacts"][1] == "2"
    assert rows["nps"][1:3] == ["+70.0", "pts*"]
    assert rows["end_mrr"][1] == "100"
    assert "csat" not in rows


def test_bad_rows_are_written_beside_the_output(service, churnkit_command):
    """Each table's rows are kept as they stood, with the reason."""
    done = churnkit_command("metrics", "service.yaml", "-q", "--output", "m.csv")

    assert "Rows of surveys set aside (5): m.csv.surveys.rejected.parquet" in done.out
    tickets = pd.read_parquet(service / "m.csv.support_tickets.rejected.parquet")
    assert tickets["customer_id"].tolist() == ["b"]
    assert tickets["reason"].tolist() == ["resolved_at is before opened_at"]


def test_a_view_says_what_was_set_aside_too(service, churnkit_command):
    """Survival is of the three good subscriptions, and quotes the two that are not."""
    done = churnkit_command("metrics", "service.yaml", "-q", "--view", "survival")

    assert "Of 3 subscriptions 0 have ended" in done.out
    assert "subscriptions: 1 of 5 rows set aside, ended_at is before started_at" in done.out


def test_bad_rows_stop_the_run_where_that_is_asked_for(service, churnkit_command):
    """With on_invalid: raise nothing is printed but the sentence, and the exit code is 3."""
    done = churnkit_command("metrics", "service.yaml", "-q", "--set", "data.on_invalid=raise")

    assert (done.code, done.out) == (3, "")
    assert "subscriptions" in done.err
    assert "overlaps the next one of the same subscription_id" in done.err
