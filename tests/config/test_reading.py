"""Configuration files and overrides: YAML as it looks, its faults by line, both sources told apart."""

from __future__ import annotations

import datetime as dt

import pytest

from churnkit.config import Config, load_config
from churnkit.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty; a configuration needs at least name and data.orders"),
        ("# only a comment\n", "the file is empty; a configuration needs"),
        ("- a\n- b\n", r"must be a mapping of keys to values; got \['a', 'b'\]"),
        ("name: [a\nseed: 7\n", "line 2: not valid YAML: expected ',' or ']'"),
        ("name: a\n\tseed: 7\n", "line 2: not valid YAML: "),
        ("name: a\n---\nname: b\n", "line 2: not valid YAML: but found another document"),
        ("name: &n a\nseed: *n\n", r"line 2: not valid YAML: aliases \(\*name\) and tags"),
        ("name: a\nseed: !!python/name:os.system\n", "line 2: not valid YAML: aliases .* and tags"),
        ("a: &a [*a]\n", "line 1: not valid YAML: aliases"),
        ("name: 'a\x00b'\n", "not valid YAML: unacceptable character"),
        (b"name: caf\xe9\n", "must be UTF-8 text; byte 9 is not"),
    ],
)
def test_files_that_are_no_configuration_are_refused_in_one_sentence(write, text, said):
    """Broken YAML is refused with its line; nothing in a file runs code."""
    path = write(text)

    with pytest.raises(ConfigError, match=rf"^.*c\.yaml: {said}") as caught:
        load_config(path)

    assert "\n" not in str(caught.value)


def test_a_key_given_twice_is_refused_with_both_lines(write):
    """YAML readers keep one of the two in silence; here both lines are named, with all other faults."""
    path = write(
        "name: shop\ndata:\n  orders: {source: o.csv}\n  refunds: net\n  refunds: drop\n"
        "seed: x\nname: b\n7: 8\n"
    )

    with pytest.raises(ConfigError, match="given twice") as caught:
        load_config(path)

    assert str(caught.value).replace(str(path), "c.yaml").splitlines() == [
        "c.yaml: line 7: key 'name' is given twice, first in line 1",
        "c.yaml: line 8: key 7 must be text; put it in quotes",
        "c.yaml: line 5: key 'refunds' is given twice, first in line 4",
        "c.yaml: seed: must be a whole number from 0 to 2147483647; got 'x'",
    ]


def test_a_file_that_is_not_there_is_named_with_its_neighbour(write):
    """The nearest file of the folder is offered; a folder is not a file."""
    path = write("name: a", name="cdnow.yaml")

    with pytest.raises(
        ConfigError, match=r"cdnw\.yaml: no such file\. Did you mean 'cdnow\.yaml'\?"
    ):
        load_config(path.with_name("cdnw.yaml"))
    with pytest.raises(ConfigError, match=r": cannot be read: "):
        load_config(path.parent)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("2011-12-10", "2011-12-10"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0x1f", 31),
        ("0o17", 15),
        ("1e-3", 0.001),
        ("-.5E+2", -50.0),
        ("true", True),
        ("~", None),
        ("[1, 2.0, a]", (1, 2.0, "a")),
    ],
)
def test_plain_values_mean_what_they_look_like(write, text, value):
    """Values follow YAML 1.2: ``no`` is text, ``1e-3`` is a number, ``010`` is ten."""
    path = write(
        f"name: a\ndata: {{orders: {{source: o.csv}}}}\nchurn: {{params: {{x: {text}}}}}\n"
    )

    found = load_config(path).churn.params["x"]

    assert found == value
    assert type(found) is type(value)


def test_keys_that_are_not_text_are_refused_from_python_too(minimal, message_of):
    """What YAML would refuse by line is refused by path when it comes from Python."""
    message = message_of({**minimal, 3: 4, "features": {"rfm": {1: 2}}})

    assert message.splitlines() == [
        "c.yaml: features.rfm: key 1 must be text; put it in quotes",
        "c.yaml: key 3 must be text; put it in quotes",
    ]
    with pytest.raises(
        ConfigError, match=r"^config: must be a mapping of keys to values; got \[1\]$"
    ):
        Config.from_mapping([1])


FILE = "name: shop\ndata: {orders: {source: orders.csv}}\nseed: 3\n"


def test_overrides_replace_values_of_the_file(write):
    """Values are YAML, later overrides win, and sections that the file leaves out are made."""
    overrides = [
        "seed=4",
        "seed=5",
        "snapshots.horizon_days=60",
        "data.orders.filter=country = 'UK'",
        "scoring.as_of=2011-12-10",
        "churn.params={num_leaves: 15, learning_rate: 1e-2}",
        "lifetime_value.params.max_depth=4",
    ]

    config = load_config(write(FILE), overrides=overrides)

    assert config.seed == 5
    assert config.snapshots.horizon_days == 60
    assert config.data.orders.filter == "country = 'UK'"
    assert config.scoring.as_of == dt.date(2011, 12, 10)
    assert dict(config.churn.params) == {"num_leaves": 15, "learning_rate": 0.01}
    assert dict(config.lifetime_value.params) == {"max_depth": 4}


def test_an_option_of_one_feature_keeps_the_other_features(write):
    """An override inside a default feature changes that feature only; new ones come last."""
    overrides = ["features.rfm.windows_days=[7, 30]", "features.support={}"]

    features = load_config(write(FILE), overrides=overrides).features

    assert list(features) == ["rfm", "regularity", "basket", "purchase_model", "support"]
    assert features["rfm"]["windows_days"] == (7, 30)
    assert features["purchase_model"]["kind"] == "bg_nbd"


def test_an_option_can_be_added_to_a_feature_that_has_none(write):
    """``rfm: true`` and ``rfm:`` both take options from an override."""
    text = FILE + "features: {rfm: true, basket: }\n"
    overrides = ["features.rfm.windows_days=[7]", "features.basket.x=1"]

    features = load_config(write(text), overrides=overrides).features

    assert [(name, dict(options)) for name, options in features.items()] == [
        ("rfm", {"windows_days": (7,)}),
        ("basket", {"x": 1}),
    ]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("seed", "override: must look like key.path=value; got 'seed'"),
        ("=3", "override: must look like key.path=value; got '=3'"),
        ("data..x=3", "override: must look like key.path=value; got 'data..x=3'"),
        ("seed=[1", "override: seed: line 1: not valid YAML: "),
        ("churn.params={a: 1, a: 2}", "override: churn.params: line 1: key 'a' is given twice"),
        ("sede=3", "override: sede: unknown key. Did you mean 'seed'?"),
        (
            "snapshot.horizon_days=3",
            "override: snapshot: unknown key. Did you mean 'snapshots'?",
        ),
        (
            "snapshots.horizon_day=3",
            "override: snapshots.horizon_day: unknown key. Did you mean 'horizon_days'?",
        ),
        ("seed.x=3", "override: seed.x: seed holds 3, not a mapping"),
        ("scoring.reasons=many", "override: scoring.reasons: must be a whole number"),
        (
            "label.prior_gaps=3",
            "override: label.prior_gaps: is only for label.kind 'own_gap'; got 3",
        ),
        (
            "data.orders.columns.ts=day",
            "override: data.orders.columns.customer_id: required key is missing: who bought",
        ),
    ],
)
def test_faults_of_overrides_are_said_of_the_override(write, override, line):
    """Whoever typed the override reads its path, with the nearest name, not that of the file."""
    with pytest.raises(ConfigError, match=r"^override: ") as caught:
        load_config(write(FILE), overrides=[override])

    assert str(caught.value).startswith(line)


def test_faults_of_file_and_overrides_come_together(write):
    """One message holds both, each under its own name."""
    path = write(FILE.replace("seed: 3", "seed: x"))

    with pytest.raises(ConfigError, match="override") as caught:
        load_config(path, overrides=["report.output=a.pdf", "oops"])

    starts = [line.split(": ")[:2] for line in str(caught.value).splitlines()]
    assert starts == [
        ["override", "must look like key.path=value; got 'oops'"],
        [str(path), "seed"],
        ["override", "report.output"],
    ]
