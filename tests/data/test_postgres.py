"""Tables that a PostgreSQL database answers a query with, from a server that the tests start."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest

import churnkit
from churnkit.data.origins import PostgresSource, source_of
from churnkit.engines import DuckDBEngine
from churnkit.errors import ConfigError, DataError

# A server asks to belong to somebody else than root; Debian's package makes this account.
ACCOUNT = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
CREATE = """
CREATE SCHEMA shop;
CREATE TABLE shop."Orders" (
  buyer uuid, at timestamptz, paid numeric(12, 2), "order" bigint, tags text[], extra jsonb
);
INSERT INTO shop."Orders"
SELECT ('00000000-0000-0000-0000-0000000000' || lpad((i % 20)::text, 2, '0'))::uuid,
       timestamptz '2024-01-01 00:30+01' + i * interval '1 day', i + 0.25, i, '{a,b}', '{"n": 1}'
FROM generate_series(1, 200) AS i;
INSERT INTO shop."Orders" VALUES (NULL, '2024-01-05', 5, 0, NULL, NULL);
"""


def program(name):
    """Return a program of PostgreSQL, which Debian keeps out of the path."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or str(kept[-1])


@pytest.fixture(scope="module")
def database():
    """Give the address of a database with a table of orders."""
    folder = Path(tempfile.mkdtemp(prefix="churnkit-postgres-"))
    if ACCOUNT:
        shutil.chown(folder, **ACCOUNT)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    data, quick = str(folder / "data"), ["-c", "fsync=off", "-c", f"port={port}"]
    made = [program("initdb"), "-D", data, "-U", "shop", "-A", "trust", "--no-sync", "-E", "UTF8"]
    subprocess.run(made, check=True, capture_output=True, cwd="/", **ACCOUNT)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [program("postgres"), "-D", data, "-k", str(folder), *quick],
            cwd="/",
            stdout=log,
            stderr=subprocess.STDOUT,
            **ACCOUNT,
        )
    address = f"postgresql://shop@127.0.0.1:{port}/postgres"
    try:
        wait_until_it_answers(address, server=server)
        ask(address, CREATE)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=60)
        shutil.rmtree(folder)


def ask(address, statements):
    """Run statements by the driver, outside of what is tested."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.executescript(statements)


def wait_until_it_answers(address, *, server):
    """Wait until the server takes a statement."""
    from adbc_driver_manager import OperationalError

    end = time.monotonic() + 60
    while True:
        try:
            return ask(address, "SELECT 1")
        except OperationalError:
            assert server.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)


def config_of(address, **asked):
    """Return a configuration whose orders are in the database."""
    columns = {"customer_id": "buyer", "ts": "at", "amount": "paid", "order_id": "order"}
    return {
        "name": "shop",
        "engine": {"threads": 1},
        "data": {
            "time_zone": "Europe/Berlin",
            "orders": {"source": address, "columns": columns, **asked},
        },
    }


@pytest.mark.postgres
@pytest.mark.parametrize(
    "asked",
    [
        {"table": "shop.Orders"},
        {"query": 'SELECT * FROM shop."Orders" -- all of them\n;'},
        {"query": 'WITH o AS (SELECT * FROM shop."Orders") SELECT buyer, at, paid, "order" FROM o'},
    ],
)
def test_orders_of_a_database_are_checked_and_counted_like_a_file(database, tmp_path, asked):
    """Ids are uuid, amounts numeric, times with a zone: the same metrics as from Parquet."""
    i = pd.Series(range(1, 201))
    orders = pd.DataFrame(
        {
            "buyer": "00000000-0000-0000-0000-0000000000" + (i % 20).astype(str).str.zfill(2),
            "at": pd.Timestamp("2023-12-31 23:30", tz="UTC") + pd.to_timedelta(i, unit="D"),
            "paid": i + 0.25,
            "order": i,
        }
    )
    nobody = pd.DataFrame(
        {
            "buyer": [None],
            "at": [pd.Timestamp("2024-01-05", tz="UTC")],
            "paid": [5.0],
            "order": [0],
        }
    )
    file = tmp_path / "orders.parquet"
    pd.concat([orders, nobody]).to_parquet(file)

    found = churnkit.retention_metrics(config_of(database, **asked))

    expected = churnkit.retention_metrics(config_of(str(file)))
    pd.testing.assert_frame_equal(found.to_pandas(), expected.to_pandas())
    ours, theirs = (r.to_dict()["inputs"]["orders"] for r in (found, expected))
    assert ours["source"] == database
    assert {k: v for k, v in ours.items() if k not in {"source", "files"}} == {
        k: v for k, v in theirs.items() if k not in {"source", "files"}
    }


@pytest.mark.postgres
def test_what_arrow_lacks_comes_as_text(database):
    """Numbers keep all their digits; a list and a document are their text."""
    query = """SELECT 12345678901234567890.123::numeric AS n, tags, extra, interval '1 day' AS i
               FROM shop."Orders" WHERE "order" = 7"""
    with DuckDBEngine(threads=1) as engine:
        view = source_of(PostgresSource(database, query)).view(engine)
        rows = engine.collect(engine.select(f"SELECT * FROM {view}")).to_pylist()

    expected = {"n": "12345678901234567890.123", "tags": "{a,b}", "extra": '{"n": 1}', "i": "1 day"}
    assert rows == [expected]


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT * FROM nothing", 'relation "nothing" does not exist'),
        ('DELETE FROM shop."Orders" RETURNING *', "syntax error"),
        ("SELECT 1 AS a) AS x; DROP SCHEMA shop CASCADE; --", "syntax error|multiple commands"),
        ("SELECT 1 AS a, 2 AS a", 'column reference "a" is ambiguous|two columns'),
    ],
)
def test_what_is_no_select_is_refused_by_the_database(database, query, says):
    """The database's own words; nothing is changed."""
    with (
        DuckDBEngine(threads=1) as engine,
        pytest.raises(
            DataError, match=rf"^postgresql://shop@127\.0\.0\.1:\d+/postgres: .*({says})"
        ),
    ):
        PostgresSource(database, query).view(engine)

    with DuckDBEngine(threads=1) as engine:
        view = PostgresSource(database, 'SELECT count(*) AS n FROM shop."Orders"').view(engine)
        assert engine.collect(engine.select(f"SELECT n FROM {view}")).to_pylist() == [{"n": 201}]


def test_a_server_that_is_not_there_is_one_sentence():
    """The address is named; port 1 is nobody's."""
    address = "postgresql://shop@127.0.0.1:1/shop"

    with (
        DuckDBEngine(threads=1) as engine,
        pytest.raises(DataError, match=rf"^{address}: IO: .*Connection refused"),
    ):
        PostgresSource(address, "SELECT 1").view(engine)


def test_without_the_driver_the_extra_is_named(monkeypatch):
    """Reading from a database is an extra."""
    monkeypatch.setitem(__import__("sys").modules, "adbc_driver_postgresql", None)

    with (
        DuckDBEngine(threads=1) as engine,
        pytest.raises(
            ConfigError, match=r"install the extra: pip install 'churnkit-ml\[postgres\]'$"
        ),
    ):
        PostgresSource("postgresql://shop@h/db", "SELECT 1").view(engine)
