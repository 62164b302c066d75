"""What the page reads of a score table, wherever it was written."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from churnkit.pipeline.results import ScoreResult
from churnkit.pipeline.scored_customers import scored_customers


def test_a_day_is_the_business_day_though_a_cluster_writes_utc(result, shop, tmp_path):
    """The same instants in UTC, as Spark writes them, and in the business zone are one day."""
    table = pq.read_table(result.output)
    place = table.schema.get_field_index("expected_next_order_at")
    moments = table.column(place)
    folder = tmp_path / "scores.parquet" / f"as_of={shop.as_of}"
    folder.mkdir(parents=True)
    in_utc = moments.cast(pa.timestamp("us", tz="UTC"))
    written = table.set_column(place, "expected_next_order_at", in_utc).drop_columns(["as_of"])
    pq.write_table(written, folder / "part-0.parquet")
    of_cluster = ScoreResult(output=folder.parent, manifest={"as_of": shop.as_of})

    found, ours = (scored_customers(s, time_zone="Asia/Tokyo") for s in (of_cluster, result))

    days = [row.date() for row in found.column("expected_next_order_at").to_pylist() if row]
    assert days
    expected = moments.filter(pc.equal(table.column("status"), "scored")).drop_null().to_pandas()
    assert days == list(expected.dt.tz_convert("Asia/Tokyo").dt.date)
    assert found.sort_by("customer_id").equals(ours.sort_by("customer_id"))
