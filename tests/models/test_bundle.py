"""Bundles: identical after loading, text only, whole or refused."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from churnkit.errors import DataError, ModelGuardError
from churnkit.evaluation.backtest import predict_snapshot
from churnkit.models.bundle import Bundle, load_bundle, save_bundle


@pytest.fixture
def bundle(fitted, shop):
    """Give a bundle of the fitted models."""
    return Bundle(
        name="shop",
        version="3",
        created_at="2024-01-01T00:00:00+00:00",
        models=fitted.models,
        features={"rfm": {"windows_days": (30, 90)}},
        feature_names=shop.test.features.names,
        data={"time_zone": "UTC"},
        snapshot={"observation_days": 730, "horizon_days": 60, "gap_days": 0},
        label={"kind": "no_order"},
        population={"active_within_days": 365, "min_orders": 1},
        value={"gross_margin": 1.0, "yearly_discount_rate": 0.0},
        typical={"orders": 2.0, "orders_90d": float("nan")},
        notes=fitted.notes,
    )


def test_a_loaded_bundle_predicts_identically(bundle, shop, tmp_path):
    """Every prediction, interval and level is the same to the last bit."""
    loaded = load_bundle(save_bundle(bundle, tmp_path / "b"))

    first, second = (predict_snapshot(b.models, shop.test) for b in (bundle, loaded))
    for name in (
        "churn_probability",
        "expected_spend",
        "expected_spend_low",
        "expected_spend_high",
    ):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.level == second.level
    assert loaded.models.settings == bundle.models.settings
    assert loaded.feature_names == bundle.feature_names
    assert loaded.typical == {"orders": 2.0, "orders_90d": None}


def test_a_bundle_is_text_and_holds_no_pickle(bundle, tmp_path):
    """Every file is UTF-8 text; none can be unpickled."""
    folder = save_bundle(bundle, tmp_path / "b")

    for path in folder.iterdir():
        path.read_text(encoding="utf-8")
        with pytest.raises((pickle.UnpicklingError, ValueError, KeyError, EOFError, IndexError)):
            pickle.loads(path.read_bytes())


def test_loading_runs_no_code(bundle, tmp_path):
    """A bundle loads where finding a pickled class and starting a program end the process."""
    folder = save_bundle(bundle, tmp_path / "b")
    program = f"""
import sys
import lightgbm
import churnkit.models
from churnkit.models.bundle import load_bundle
def forbid(event, args):
    if event in ("pickle.find_class", "subprocess.Popen", "os.system"):
        raise SystemExit("ran " + event)
sys.addaudithook(forbid)
print(load_bundle({str(folder)!r}).version)
"""

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "3", done.stderr


def test_an_older_bundle_is_replaced_whole(bundle, tmp_path):
    """Saving again leaves only the new files and no staging folder."""
    folder = save_bundle(bundle, tmp_path / "b")
    (folder / "left_over.txt").write_text("old", encoding="utf-8")

    save_bundle(bundle, folder)

    assert "left_over.txt" not in {p.name for p in folder.iterdir()}
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_a_full_disk_leaves_the_older_bundle(bundle, tmp_path, request):
    """What cannot be written is one sentence, and no part of it stays."""
    folder = save_bundle(bundle, tmp_path / "b")
    request.getfixturevalue("no_space")

    with pytest.raises(DataError, match=r"b: cannot be written; File too large$"):
        save_bundle(bundle, folder)

    assert load_bundle(folder).version == bundle.version
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_a_folder_without_a_bundle_is_refused(tmp_path):
    """The message names what is missing."""
    with pytest.raises(ModelGuardError, match=r"no model bundle there \(bundle.json is missing\)"):
        load_bundle(tmp_path)


def test_a_missing_learner_is_refused(bundle, tmp_path):
    """A bundle without one of its learners names the file."""
    folder = save_bundle(bundle, tmp_path / "b")
    (folder / "churn.lightgbm.txt").unlink()

    with pytest.raises(ModelGuardError, match=r"incomplete \(churn.lightgbm.txt is missing\)"):
        load_bundle(folder)


def test_another_format_is_refused(bundle, tmp_path):
    """A bundle of another version of the format asks to train again."""
    folder = save_bundle(bundle, tmp_path / "b")
    document = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    (folder / "bundle.json").write_text(json.dumps({**document, "format": 1}), encoding="utf-8")

    with pytest.raises(ModelGuardError, match="bundle format must be 5; got 1"):
        load_bundle(folder)


def keys_of(document, *, below=()):
    """Return the path of every key that has to be there; what is in free mappings does not."""
    free = {
        "features",
        "label",
        "data",
        "snapshot",
        "population",
        "value",
        "typical",
        "distribution",
    }
    free |= {"metrics", "notes", "provenance", "churn_params", "spend_params"}
    for key, value in document.items():
        yield (*below, key)
        if isinstance(value, dict) and key not in free:
            yield from keys_of(value, below=(*below, key))
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from keys_of(value[0], below=(*below, key, 0))


def test_any_missing_key_is_refused_in_a_sentence(bundle, tmp_path):
    """A bundle that lacks a key, at any depth, asks to train again and names it."""
    folder = save_bundle(bundle, tmp_path / "b")
    whole = (folder / "bundle.json").read_text(encoding="utf-8")
    paths = list(keys_of(json.loads(whole)))
    assert len(paths) > 40

    for path in paths:
        document = json.loads(whole)
        inner = document
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]
        (folder / "bundle.json").write_text(json.dumps(document), encoding="utf-8")

        with pytest.raises(ModelGuardError, match=r"Train again") as refused:
            load_bundle(folder)

        assert path[-1] in str(refused.value)


@pytest.mark.parametrize("text", ["[]", "3", "null"])
def test_json_of_another_shape_is_refused(tmp_path, text):
    """A document that is no mapping is not a bundle of this format."""
    (tmp_path / "bundle.json").write_text(text, encoding="utf-8")

    with pytest.raises(ModelGuardError, match="bundle format must be 5; got None"):
        load_bundle(tmp_path)


def test_broken_json_is_refused(tmp_path):
    """A damaged document is not a bundle."""
    (tmp_path / "bundle.json").write_text("{", encoding="utf-8")

    with pytest.raises(ModelGuardError, match="not a model bundle"):
        load_bundle(tmp_path)
