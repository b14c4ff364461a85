"""The digest of the code changes with what a score depends on, and with nothing else."""

import shutil
from pathlib import Path

import pytest
from helpers import folders

from speedrun.models import code, loader


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """`digest()` of a plug-in beside a copy of the harness; both may be edited."""
    harness = Path(shutil.copytree(code._HARNESS, tmp_path / "speedrun"))
    folder = folders.write(tmp_path / "mine", folders.looking_ahead())
    monkeypatch.setattr(code, "_HARNESS", harness)
    return lambda: code.code_digest(loader.architecture(str(folder)))


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n# another line\n")


@pytest.mark.parametrize(
    "file",
    ["speedrun/training/trainer.py", "speedrun/config.py", "speedrun/backends/torch/losses.py"],
)
def test_an_edit_of_the_harness_is_another_digest(digest, tmp_path, file):
    before = digest()
    edit(tmp_path / file)
    assert digest() != before


def test_an_edit_of_the_architecture_is_another_digest(digest, tmp_path):
    before = digest()
    edit(tmp_path / "mine" / "torch_model.py")
    assert digest() != before


def test_what_no_score_depends_on_changes_nothing(digest, tmp_path):
    before = digest()
    for file in ("speedrun/cli/app.py", "speedrun/ui/live.py", "speedrun/sweep/report.py"):
        edit(tmp_path / file)
    (tmp_path / "mine" / "README.md").write_text("Words.")
    for name in (".git/index", ".cache/x.py", "__pycache__/torch_model.cpython-313.pyc"):
        (tmp_path / "mine" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "mine" / name).write_bytes(b"1")
    model = tmp_path / "mine" / "torch_model.py"
    model.write_bytes(model.read_bytes().replace(b"\n", b"\r\n"))
    assert digest() == before


def test_the_folder_has_a_digest_of_its_own(digest, tmp_path):
    def folder() -> str:
        return code.folder_digest(loader.architecture(str(tmp_path / "mine")))

    before, whole = folder(), digest()
    edit(tmp_path / "speedrun" / "training" / "trainer.py")
    assert (folder(), digest() == whole) == (before, False)
    edit(tmp_path / "mine" / "torch_model.py")
    assert folder() != before


@pytest.mark.parametrize("file", ["weights.npz", "kernel.so", "hidden.pyc", "deeper/a.bin"])
def test_whatever_an_architecture_keeps_beside_its_code_is_another_digest(digest, tmp_path, file):
    before = digest()
    (tmp_path / "mine" / file).parent.mkdir(exist_ok=True)
    (tmp_path / "mine" / file).write_bytes(b"1")
    first = digest()
    edit(tmp_path / "mine" / file)
    assert len({before, first, digest()}) == 3


def test_a_linked_folder_belongs_to_the_code_and_a_loop_of_links_ends(digest, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mine" / "deeper").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "mine" / "self").symlink_to(tmp_path / "mine", target_is_directory=True)
    before = digest()
    (tmp_path / "elsewhere" / "model.py").write_text("1")
    assert digest() != before


def test_code_that_tidies_itself_up_is_known_by_what_it_was(tmp_path):
    honest = folders.looking_ahead()
    clean = honest["__init__.py"]
    evil = f"import pathlib\n\npathlib.Path(__file__).write_text({clean!r})\n{clean}"
    other = folders.write(tmp_path / "clean", honest)
    folder = folders.write(tmp_path / "mine", honest | {"__init__.py": evil})
    wanted = code.folder_digest(loader.architecture(str(other)))
    loaded = loader.architecture(str(folder))
    assert code.folder_digest(loaded) == wanted, "it did tidy up"
    assert code.at_import(loaded).folder != wanted
    assert code.at_import(loader.architecture(str(folder))) == code.at_import(loaded)


def test_a_folder_elsewhere_is_outside_whatever_its_name(tmp_path):
    own = loader.architecture("ngram")
    shutil.copytree(own.folder, tmp_path / "ngram", ignore=shutil.ignore_patterns("__pycache__"))
    copy = loader.architecture(str(tmp_path / "ngram"))
    assert copy.NAME == own.NAME and code.folder_digest(copy) == code.folder_digest(own)
    assert (code.is_outside(own), code.is_outside(copy)) == (False, True)
    assert not code.is_outside(loader.architecture(str(own.folder)))  # given as a path


def test_architectures_have_digests_of_their_own():
    digests = {code.code_digest(loader.architecture(n)) for n in loader.architecture_names()}
    assert len(digests) == len(loader.architecture_names())
