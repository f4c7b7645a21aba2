"""`airflow vibe new`: a plan to start from."""

from __future__ import annotations

from argparse import Namespace

import pytest

from airflow_provider_vibe.cli.new import new
from airflow_provider_vibe.cli.plan_schema import plan_schema
from airflow_provider_vibe.plan.reading import examine_file
from airflow_provider_vibe.settings import Settings
from tests.cli.test_lint import lint_exit
from tests.cli.test_run import run_exit
from tests.cli.test_schema import document


def new_exit(name, folder):
    with pytest.raises(SystemExit) as stopped:
        new(Namespace(name=name, folder=str(folder)))
    return stopped.value.code


def test_plan_is_clean_and_says_what_to_do_next(tmp_path, capsys):
    assert new_exit("my-plan", tmp_path) == 0
    path = tmp_path / "my-plan.vibe.yaml"
    assert f"airflow vibe run {path}" in capsys.readouterr().out
    assert lint_exit(tmp_path) == 0
    assert capsys.readouterr().out == "1 plan, no problems\n"


def test_plan_runs_without_a_network(airflow_db, tmp_path, capfd):
    new_exit("starter", tmp_path)
    assert run_exit(tmp_path / "starter.vibe.yaml", "topic=coffee") == 0
    assert "plan completed: all 6 nodes" in capfd.readouterr().out


def test_plan_fits_the_schema(tmp_path, capsys):
    from jsonschema import Draft202012Validator

    new_exit("starter", tmp_path)
    data = document(tmp_path / "starter.vibe.yaml")
    assert list(Draft202012Validator(plan_schema()).iter_errors(data)) == []


@pytest.mark.parametrize("name", ["a", "2026", "1e5", "true", "Null", "0x1F", "12.5", "yes", "2026-01-05"])
def test_name_becomes_the_id_as_it_is(tmp_path, capsys, name):
    assert new_exit(name, tmp_path) == 0
    reading = examine_file(tmp_path / f"{name}.vibe.yaml", Settings.from_airflow().rules)
    assert reading.problems == ()
    assert reading.plan.id == name


@pytest.mark.parametrize("name", ["on", "OFF", "yes", "no", "y", "N", "true", "null", "12.5", "2026-01-05"])
def test_name_is_the_same_text_to_every_reader_of_yaml(tmp_path, capsys, name):
    new_exit(name, tmp_path)
    assert (tmp_path / f"{name}.vibe.yaml").read_text().splitlines()[2].startswith(f'id: "{name}"  #')


def test_ending_may_be_written_too(tmp_path, capsys):
    assert new_exit("tea.vibe.yaml", tmp_path) == 0
    assert (tmp_path / "tea.vibe.yaml").exists()


@pytest.mark.parametrize("suffix", [".vibe.yaml", ".vibe.yml", ".vibe.json"])
def test_nothing_is_overwritten_whatever_its_notation(tmp_path, capsys, suffix):
    (tmp_path / f"tea{suffix}").write_text("mine")
    assert new_exit("tea", tmp_path) == 2
    assert f"tea{suffix} is already there; it stays as it is" in capsys.readouterr().err
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_file_that_cannot_be_made_is_told(tmp_path, capsys):
    (tmp_path / "tea.vibe.yaml").symlink_to(tmp_path / "nowhere" / "x")
    assert new_exit("tea", tmp_path) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "a/b", "../up", ".hidden", "-x", "Mein Plan", "a\n", "ü", "x" * 101])
def test_name_that_is_none_is_told_with_a_better_one(tmp_path, capsys, name):
    assert new_exit(name, tmp_path) == 2
    assert "is no name for a plan" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_better_name_is_like_the_one_that_was_wanted(tmp_path, capsys):
    new_exit("Mein schöner Plan", tmp_path)
    assert "(like 'Mein-schoner-Plan')" in capsys.readouterr().err


def test_folder_that_is_not_there_is_told(tmp_path, capsys):
    assert new_exit("tea", tmp_path / "plans") == 2
    assert f"there is no folder {tmp_path}/plans (mkdir -p {tmp_path}/plans)" in capsys.readouterr().err
