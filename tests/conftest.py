"""Fixtures shared by all tests: the same table in every engine under test."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any

import hypothesis
import narwhals as nw
import pytest

from churnkit.engines import DuckDBEngine, SparkEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

# A loaded machine is no fault of a property.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

ENGINES = ("duckdb", "polars", "spark")
LOCAL = ("duckdb", "polars")
READERS = ("duckdb", "spark")
# A job of Spark takes seconds whatever its rows: a property is tried there on few long tables, which
# the other engines try on more.
EXAMPLES_ON_SPARK = 3


class PolarsEngine:
    """The second engine of the tests: everything above the sources must give the same numbers."""

    kind = "polars"

    def __init__(self) -> None:
        self._views: dict[str, Any] = {}

    def add_arrow(self, table: pa.Table) -> str:
        """Keep an Arrow table under a name; see :class:`churnkit.engines.Engine`."""
        name = f"view_{len(self._views)}"
        self._views[name] = table
        return name

    def select(self, sql: str):
        """Return a kept table, all of it."""
        import polars as pl

        name = sql.removeprefix("SELECT * FROM ")
        return nw.from_native(pl.from_arrow(self._views[name]).lazy())

    def materialize(self, frame, *, sort_by: Sequence[str] = ()):
        """Compute a frame once; see :class:`churnkit.engines.Engine`."""
        return (frame.sort(*sort_by) if sort_by else frame).collect().lazy()

    def materialize_all(self, frames, *, sort_by: Sequence[str] = ()):
        """Compute frames one by one; see :class:`churnkit.engines.Engine`."""
        return nw.concat([self.materialize(frame, sort_by=sort_by) for frame in frames])

    def gather(self, frame, *, by: str, rows: int):
        """Compute a frame once."""
        return self.materialize(frame)

    def parts(self, frame):
        """Return the frame as one part."""
        return [frame]

    def collect(self, frame) -> pa.Table:
        """Return all rows as an Arrow table."""
        return frame.collect().to_arrow()

    def forget(self, *frames) -> None:
        """Nothing is kept but by whoever holds the frame."""

    def batches(self, frame, *, rows: int, sort_by: Sequence[str] = ()):
        """Return the rows as a stream of Arrow batches."""
        ordered = frame.sort(*sort_by) if sort_by else frame
        yield from self.collect(ordered).to_batches(max_chunksize=rows)

    def close(self) -> None:
        """Nothing is held."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--engines``, the default is those that need no Java, and ``--postgres``."""
    default = ",".join(LOCAL)
    parser.addoption("--engines", default=default, help="comma-separated, or 'all'")
    parser.addoption("--postgres", action="store_true", help="run what needs a PostgreSQL server")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that asks for ``engine``, or for one that reads sources, once per engine."""
    chosen = metafunc.config.getoption("--engines")
    names = ENGINES if chosen == "all" else chosen.split(",")
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", names, indirect=True)
    if "reader" in metafunc.fixturenames:
        readers = [name for name in names if name in READERS] or READERS[:1]
        metafunc.parametrize("reader", readers, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs Java unless ``--engines`` names Spark, and servers unless asked for."""
    chosen = config.getoption("--engines")
    absent = set() if chosen == "all" or "spark" in chosen.split(",") else {"spark"}
    if not config.getoption("--postgres"):
        absent.add("postgres")
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in absent)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Try a property that runs on Spark on at most ``EXAMPLES_ON_SPARK`` examples."""
    named = item.callspec.params if hasattr(item, "callspec") else {}
    if "spark" not in (named.get("engine"), named.get("reader")):
        return (yield)
    test = item.obj
    if not hypothesis.is_hypothesis_test(test):
        return (yield)
    # Hypothesis has no public way to set this for one parameter of a test.
    given = test._hypothesis_internal_use_settings or hypothesis.settings.default
    few = min(given.max_examples, EXAMPLES_ON_SPARK)
    test._hypothesis_internal_use_settings = hypothesis.settings(given, max_examples=few)
    try:
        return (yield)
    finally:
        test._hypothesis_internal_use_settings = given


@pytest.fixture(scope="session")
def spark_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep one small Spark running, which every engine of the tests then joins."""
    conf = {
        "spark.driver.memory": "1g",
        # Small tables: to compile a query takes longer than to run it.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        # Where a query was written is asked of the interpreter at every call.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
    }
    with SparkEngine(master="local[2]", conf=conf):
        yield


def opened(request: pytest.FixtureRequest) -> Any:
    """Return an engine of the kind that a fixture's parameter names."""
    if request.param == "spark":
        request.getfixturevalue("spark_running")
        # One small table at a time: neither parts nor plans that adapt are worth their time.
        return SparkEngine(
            conf={
                "spark.sql.shuffle.partitions": "1",
                "spark.sql.adaptive.enabled": "false",
                "spark.sql.parquet.compression.codec": "uncompressed",
                "spark.sql.files.minPartitionNum": "1",
            }
        )
    return DuckDBEngine(threads=2) if request.param == "duckdb" else PolarsEngine()


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give an open engine of the kind under test."""
    under_test = opened(request)
    yield under_test
    under_test.close()


@pytest.fixture
def reader(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give an open engine that reads sources, of the kind under test."""
    under_test = opened(request)
    yield under_test
    under_test.close()


@pytest.fixture
def load(engine: Any) -> Callable[[pa.Table], nw.LazyFrame]:
    """Give a function that puts an Arrow table into the engine under test."""

    def into_engine(table: pa.Table) -> nw.LazyFrame:
        if engine.kind == "polars":
            import polars as pl

            return nw.from_native(pl.from_arrow(table)).lazy()
        return engine.select(f"SELECT * FROM {engine.add_arrow(table)}")

    return into_engine


@pytest.fixture
def no_space() -> Iterator[None]:
    """Let no file grow beyond 100 bytes: the disk refuses the rest as a full one does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
