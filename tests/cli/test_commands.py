"""Every command: what it prints where, and with which code it ends."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pandas as pd
import pytest
import yaml

from churnkit.cli.commands import app
from churnkit.pipeline import list_names

COMMANDS = sorted(c.name or c.callback.__name__ for c in app.registered_commands)
RUN = [sys.executable, "-m", "churnkit"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_starts_with_the_command(churnkit_command, command):
    """Every command shows how it is used, and its help fits 80 columns."""
    done = churnkit_command(command, "--help", columns=80)

    assert done.code == 0
    assert f"Example: churnkit {command} " in " ".join(done.out.split())
    assert max(map(len, done.out.splitlines())) <= 80


def test_help_lists_the_commands_and_the_exit_codes(churnkit_command):
    """The first screen says what there is and how to start."""
    done = churnkit_command("--help", columns=80)

    assert done.code == 0
    assert "Usage: churnkit [OPTIONS] COMMAND" in done.out
    assert "churnkit run configs/online_retail_ii.yaml" in done.out
    assert all(command in done.out for command in COMMANDS)
    assert "0 done, 1 unexpected, 2 configuration, 3 data, 4 a guard" in done.out


def test_version(churnkit_command):
    """One line with the version."""
    from churnkit import __version__

    assert churnkit_command("--version").out == f"churnkit {__version__}\n"


def test_run_and_what_follows(churnkit_command, workplace):
    """The whole job, then scores into another file, explanations and a promotion."""
    done = churnkit_command("run", "shop.yaml", columns=80)
    scored = churnkit_command(
        "score", "shop.yaml", "--output", "again.csv", "--set", "scoring.reasons=1", "--quiet"
    )
    drivers = churnkit_command("explain", "shop.yaml", "--quiet", "--output", "why.parquet")
    customer = str(pd.read_csv("again.csv").query("status == 'scored'")["customer_id"].iloc[0])
    one = churnkit_command("explain", "shop.yaml", "--customer", customer, "--json")
    stranger = churnkit_command("explain", "shop.yaml", "--customer", "nobody", "-q")
    promoted = churnkit_command("promote", "shop", "1", "--json")
    refused = churnkit_command("promote", "shop", "9")

    assert (done.code, scored.code, drivers.code, one.code) == (0, 0, 0, 0)
    assert all(part in done.out for part in ("rows used", "AUC", "bg_nbd", "champion", "scored"))
    assert "…" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert "training on" in done.err
    assert scored.err == ""
    again, first = pd.read_csv("again.csv"), pd.read_parquet("out/shop/scores.parquet")
    assert [c for c in again if c.startswith("reason")] == [
        "reason_1",
        "reason_1_feature",
        "reason_1_contribution",
    ]
    assert len(again) == len(first)
    assert len(pd.read_parquet("why.parquet")) == (first["status"] == "scored").sum()
    assert "Drivers of churn as of" in drivers.out
    row = first.set_index("customer_id").loc[customer]
    raising = one.json["customers"][customer]["raises"]
    assert [raising[0][key] for key in ("says", "feature")] == [
        row["reason_1"],
        row["reason_1_feature"],
    ]
    assert stranger.code == 3
    assert stranger.err.startswith("error: explain: no such customer in the population as of ")
    assert promoted.json == {"name": "shop", "version": "1"}
    assert refused.code == 2
    assert refused.err == "error: model: 'shop' has no version '9'. Known: 1.\n"


def test_json_is_the_only_line_on_stdout(workplace, environment):
    """A process of its own, trained with ``--json``: one line on stdout, progress on stderr."""
    done = subprocess.run(
        [*RUN, "run", "shop.yaml", "--json", "--set", "snapshots.horizon_days=30"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    result = json.loads(line)
    assert result["train"]["backtest"]["snapshots"][0]["horizon_days"] == 30
    assert result["score"]["rows"] == sum(result["score"]["statuses"].values())
    assert "[" in done.stderr
    assert "nanobind" not in done.stderr
    assert "Traceback" not in done.stderr


def test_validate_shows_every_check_and_the_cutoffs(churnkit_command, workplace):
    """Counts, whether or not there is anything to count, on 80 columns."""
    done = churnkit_command("validate", "shop.yaml", columns=80)

    assert done.code == 0
    assert "amount is infinite or NaN" in done.out
    assert "Train at 2 cutoffs" in done.out
    assert "fit to run" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_validate_says_that_ids_of_orders_teach_nothing(churnkit_command, workplace):
    """Where nobody orders twice no horizon is suggested, and nothing is called fit."""
    orders = pd.read_csv(workplace / "orders.csv")
    orders["customer_id"] = [f"order {number}" for number in range(len(orders))]
    orders.to_csv(workplace / "orders.csv", index=False)

    done = churnkit_command("validate", "shop.yaml")

    assert done.code == 0
    assert "does customer_id name customers, and not orders?" in done.err
    assert "Suggested horizon" not in done.out
    assert "fit to run" not in done.out


def test_backtest_writes_its_result(churnkit_command, workplace):
    """What is printed for machines is what is written, and nothing is registered."""
    done = churnkit_command("backtest", "shop.yaml", "--output", "out/b.json", "--json", "-q")

    assert done.code == 0
    assert done.err == ""
    assert done.json == json.loads((workplace / "out" / "b.json").read_text())
    assert not (workplace / "models" / "shop").exists()


def test_tables_are_wider_where_there_is_no_terminal(churnkit_command, workplace):
    """Output into a file or a pipe takes 100 columns, so that tables need not fold."""
    done = churnkit_command("backtest", "shop.yaml", "-q")

    assert done.code == 0
    assert "…" not in done.out
    assert max(map(len, done.out.splitlines())) <= 100


class TestErrors:
    """One sentence on stderr, nothing on stdout, and a code that says of what kind it is."""

    def test_three_faults_of_a_configuration_at_once(self, churnkit_command, workplace):
        """All in one message, each with file and path; code 2."""
        text = (workplace / "shop.yaml").read_text()
        wrong = text.replace("horizon_days", "horizon_day").replace(
            "calibration: none", "level: up"
        )
        (workplace / "shop.yaml").write_text(wrong + "seed: seven\n")

        done = churnkit_command("validate", "shop.yaml")

        assert (done.code, done.out) == (2, "")
        lines = done.err.splitlines()
        assert len(lines) == 3
        assert done.err.startswith("error: shop.yaml: ")
        assert all("shop.yaml: " in line for line in lines)
        assert "snapshots.horizon_day: unknown key. Did you mean 'horizon_days'?" in done.err
        assert "churn.level: must be 'auto', 'purchase_model' or 'none'; got 'up'" in done.err
        assert "seed: must be a whole number" in done.err

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (["validate", "none.yaml"], 2, "none.yaml"),
            (["validate", "shop.yaml", "--set", "data.orders.source=no.csv"], 3, "orders: no.csv"),
            (["score", "shop.yaml"], 2, "shop"),
            (["score", "shop.yaml", "--model", "models"], 4, "holds no model bundle"),
            (["score", "shop.yaml", "--output", "scores.xls"], 2, "known suffix"),
            (["list", "feature"], 2, "Did you mean 'features'?"),
            (["init", "missing.csv"], 3, "missing.csv"),
            (["init", "orders.xlsx"], 2, "files of data end in .parquet, .csv"),
            (["backtest", "shop.yaml", "--output", "b.csv"], 2, "output must end in .json"),
            (["report", "shop.yaml", "--output", "r.pdf"], 2, "output must end in .html"),
            (["score", "shop.yaml", "--model", "modles"], 2, "modles: no such folder"),
            (["init", "orders.csv", "--time-zone", "London"], 2, "London"),
            (["init", "orders.csv", "--output", "shop.yaml"], 2, "the file exists"),
        ],
    )
    def test_code_and_sentence(self, churnkit_command, workplace, arguments, code, message):
        """Configuration 2, data 3, a guard of the model 4."""
        if "scores.xls" in arguments:
            arguments = [*arguments, "--model", trained_bundle(churnkit_command)]

        done = churnkit_command(*arguments, "--quiet")

        assert (done.code, done.out) == (code, "")
        assert done.err.startswith("error: ")
        assert message in done.err
        assert len(done.err.splitlines()) == 1
        assert "Traceback" not in done.err

    def test_data_that_must_not_be_broken(self, churnkit_command, workplace):
        """``on_invalid: raise`` ends with 3 and names the row."""
        with (workplace / "orders.csv").open("a") as file:
            file.write("bad,2023-05-05,twelve,x1\n")

        done = churnkit_command("validate", "shop.yaml", "-q", "--set", "data.on_invalid=raise")

        assert (done.code, done.out) == (3, "")
        assert "amount is not a number in 1 of" in done.err

    def test_debug_shows_where(self, churnkit_command, workplace):
        """With ``--debug`` the traceback comes before the sentence."""
        done = churnkit_command("validate", "none.yaml", "--debug")

        assert done.code == 2
        assert "Traceback (most recent call last)" in done.err
        assert done.err.splitlines()[-1].startswith("error: ")

    def test_unexpected_errors_are_a_sentence_with_code_1(
        self, churnkit_command, workplace, monkeypatch
    ):
        """What nobody foresaw names its kind and says how to see more."""

        def broken(*_, **__):
            msg = "by hand"
            raise ZeroDivisionError(msg)

        monkeypatch.setattr("churnkit.pipeline.validate", broken)

        done = churnkit_command("validate", "shop.yaml")

        assert (done.code, done.out) == (1, "")
        assert done.err == "error: unexpected ZeroDivisionError: by hand; --debug shows where\n"

    def test_wrong_usage(self, churnkit_command):
        """An option that there is not ends with 2."""
        done = churnkit_command("score", "shop.yaml", "--asof", "2024-01-01")

        assert done.code == 2
        assert "--as-of" in done.err


def trained_bundle(churnkit_command):
    """Train and return the bundle's folder."""
    return churnkit_command("train", "shop.yaml", "--json", "-q").json["bundle_folder"]


class TestInit:
    """A configuration from a file."""

    def test_its_result_validates(self, churnkit_command, workplace):
        """The columns are recognised, and the file is ready for ``validate``."""
        (workplace / "shop orders.csv").write_text(
            "Customer ID,InvoiceDate,Invoice,Price,Quantity\n"
            + "\n".join(
                f"{c},2023-{m:02d}-{c + 10}T08:00:00,{c}-{m},{m + c}.5,1"
                for c in range(1, 9)
                for m in range(1, 13)
            )
        )

        made = churnkit_command("init", "shop orders.csv", "--time-zone", "Europe/Berlin")
        checked = churnkit_command("validate", "shop_orders.yaml", "--json", "-q")

        assert made.code == 0
        assert "churnkit validate shop_orders.yaml" in made.out
        assert checked.code == 0
        assert checked.json["tables"][0]["rows_used"] == 96
        written = yaml.safe_load((workplace / "shop_orders.yaml").read_text())
        assert written["data"]["time_zone"] == "Europe/Berlin"
        assert written["data"]["orders"]["columns"] == {
            "customer_id": "Customer ID",
            "ts": "InvoiceDate",
            "amount": "amount_converted",
            "order_id": "Invoice",
            "quantity": "Quantity",
        }

    def test_a_file_without_customers(self, churnkit_command, workplace):
        """Columns that cannot be recognised are listed; nothing is written."""
        (workplace / "prices.csv").write_text("sku,price\na,1\n")

        done = churnkit_command("init", "prices.csv")

        assert done.code == 3
        assert "no column looks like customer_id or ts; columns: sku, price" in done.err
        assert not (workplace / "prices.yaml").exists()

    def test_columns_that_say_nothing_are_named(self, churnkit_command, workplace):
        """``--column`` says which is which; a pair that is none is refused."""
        rows = "".join(f"p{i % 9},2024-0{i % 9 + 1}-03\n" for i in range(60))
        (workplace / "visits.csv").write_text(f"who,seen\n{rows}")

        refused = churnkit_command("init", "visits.csv")
        done = churnkit_command(
            "init", "orders=visits.csv", "--column", "customer_id=who", "--column", "ts=seen"
        )
        wrong = churnkit_command("init", "visits.csv", "--column", "customer_id")

        assert refused.code == 3
        assert "churnkit init --column customer_id=NAME" in refused.err
        assert done.code == 0
        written = yaml.safe_load((workplace / "visits.yaml").read_text())
        assert written["data"]["orders"]["columns"] == {"customer_id": "who", "ts": "seen"}
        assert (wrong.code, "must look like customer_id=NAME" in wrong.err) == (2, True)

    def test_force_replaces(self, churnkit_command, workplace):
        """``--force`` writes over an existing file."""
        done = churnkit_command("init", "orders.csv", "--output", "shop.yaml", "--force", "--json")

        assert done.code == 0
        assert done.json["output"] == "shop.yaml"


class TestList:
    """Names that a configuration may use."""

    @pytest.mark.parametrize("kind", sorted(list_names("kinds").names))
    def test_every_kind_has_names_with_meanings(self, churnkit_command, kind):
        """Each name has a sentence, and 80 columns are enough."""
        printed = churnkit_command("list", kind, columns=80)
        names = churnkit_command("list", kind, "--json").json["names"]

        assert printed.code == 0
        assert max(map(len, printed.out.splitlines())) <= 80
        assert names
        assert all(meaning.strip() for meaning in names.values())

    def test_kinds_are_the_default(self, churnkit_command):
        """Without a kind the kinds are listed."""
        assert churnkit_command("list").out == churnkit_command("list", "kinds").out


def test_a_reader_that_leaves_is_no_error(environment):
    """``churnkit list config | head -1`` ends quietly."""
    done = subprocess.run(
        ["sh", "-c", f"{shlex.join(RUN)} list config | head -1"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(("closed", "printed"), [(">&-", False), ("2>&-", True)])
def test_streams_that_a_daemon_closed_are_done_without(environment, closed, printed):
    """``churnkit list labels >&-`` does its work, ends with 0 and complains of nothing."""
    done = subprocess.run(
        ["sh", "-c", f"{shlex.join(RUN)} list labels --json {closed}"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert ("no_order" in done.stdout) == printed


STOPPED = """
import os, signal, sys
from churnkit.cli import entry

def app(**_):
    try:
        os.kill(os.getpid(), signal.{name})
    except SystemExit:
        {then}
    finally:
        print("cleaned up")

entry.app = app
signal.signal(signal.SIGINT, signal.default_int_handler)
entry.main()
"""


@pytest.mark.parametrize("then", ["raise", "raise RuntimeError('Query interrupted')", "pass"])
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_command_that_is_stopped_cleans_up_and_says_so(environment, name, code, then):
    """``docker stop`` and Ctrl-C: blocks end as after an error, also where a library hides the signal."""
    done = subprocess.run(
        [sys.executable, "-c", STOPPED.format(name=name, then=then)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert (done.returncode, done.stderr) == (code, f"stopped by {name}\n")
    assert done.stdout == "cleaned up\n"


def test_no_width_is_no_reason_to_print_nothing(environment):
    """COLUMNS=0, as some schedulers set it, means that no width is known."""
    done = subprocess.run(
        [*RUN, "list", "labels"],
        capture_output=True,
        text=True,
        env={**environment, "COLUMNS": "0"},
        check=False,
    )

    assert "no_order" in done.stdout
