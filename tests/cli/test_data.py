from collections.abc import Callable
from pathlib import Path
from typing import Any

Ex3 = Callable[..., Any]


def test_lists_what_is_here_and_how_to_get_the_rest(ex3: Ex3, tmp_path: Path) -> None:
    listed = ex3("data", "list", "--data", tmp_path, "--json").document["datasets"]
    assert {row["name"]: row["here"] for row in listed} == {
        "fashion-mnist": False,
        "mnist": False,
        "digits": True,
        "kmnist": False,
        "qmnist": False,
        "emnist": False,
    }
    assert "ex3 data fetch mnist" in ex3("data", "list", "--data", tmp_path).stdout


def test_verify_reports_missing_files_with_exit_3_and_a_whole_document(ex3: Ex3, tmp_path: Path) -> None:
    verified = ex3("data", "verify", "mnist", "--data", tmp_path, "--json")
    assert verified.exit_code == 3
    assert set(verified.document["datasets"][0]["files"].values()) == {"missing"}
    assert verified.stderr.splitlines()[0] == f"error: mnist: none of its 4 files in {tmp_path / 'MNIST/raw'}"
    assert "ex3 data fetch mnist" in verified.stderr


def test_verify_names_the_folder_once_and_the_files_that_are_wrong(ex3: Ex3, tmp_path: Path) -> None:
    folder = tmp_path / "MNIST/raw"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").write_bytes(b"what is this")
    message = ex3("data", "verify", "mnist", "--data", tmp_path).stderr.splitlines()[0]
    others = "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"
    assert message == f"error: mnist: in {folder}: train-images-idx3-ubyte altered; {others} missing"
    assert (
        f"mnist: {tmp_path / 'no'}: no such folder" in ex3("data", "verify", "--data", tmp_path / "no").stderr
    )


def test_digits_need_no_files(ex3: Ex3) -> None:
    assert ex3("data", "verify", "digits").exit_code == 0
    assert "nothing to do" in ex3("data", "fetch", "digits").stdout


def test_a_misspelt_data_set_is_exit_2(ex3: Ex3) -> None:
    outcome = ex3("data", "verify", "minst")
    assert outcome.exit_code == 2
    assert "did you mean 'mnist'" in outcome.stderr


def test_verifies_the_real_data(ex3: Ex3, real_data: Path) -> None:
    assert ex3("data", "verify", "--data", real_data).exit_code == 0


def test_verify_of_everything_names_which_to_fetch(ex3: Ex3, tmp_path: Path) -> None:
    outcome = ex3("data", "verify", "--data", tmp_path)
    assert outcome.exit_code == 3
    assert "`ex3 data fetch fashion-mnist` and `ex3 data fetch mnist`" in outcome.stderr
    assert "missing" in outcome.stdout, "the table comes all the same"
    assert "kmnist" not in outcome.stdout, "the exercise does without it"
    (tmp_path / "KMNIST/raw").mkdir(parents=True)
    (tmp_path / "KMNIST/raw/t10k-labels-idx1-ubyte.gz").touch()
    assert "`ex3 data fetch kmnist`" in ex3("data", "verify", "--data", tmp_path).stderr


def test_a_folder_where_nothing_can_be_written_is_exit_3(ex3: Ex3, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = ex3("data", "fetch", "mnist", "--data", tmp_path / "file")
    assert outcome.exit_code == 3
    assert "cannot write" in outcome.stderr


def test_the_documents_have_their_keys(ex3: Ex3, tmp_path: Path) -> None:
    listed = ex3("data", "list", "--data", tmp_path, "--json").document
    assert set(listed) == {"data", "datasets"}
    assert set(listed["datasets"][0]) == {"name", "here", "title", "source", "classes"}
    assert ex3("data", "verify", "digits", "--json").document == {
        "ok": True,
        "datasets": [{"dataset": "digits", "ok": True, "files": {}}],
    }
    assert ex3("data", "fetch", "digits", "--json").document == {
        "dataset": "digits",
        "folder": None,
        "ok": True,
    }


def test_any_folder_name_is_printed_as_it_is_and_on_one_line(
    ex3: Ex3, tmp_path: Path, real_data: Path
) -> None:
    folder = tmp_path / "[" / "x]" / ("long" * 40)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(real_data)
    outcome = ex3("data", "fetch", "fashion-mnist", "--data", folder)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout == f"fashion-mnist is in {folder}/FashionMNIST/raw, verified\n"
