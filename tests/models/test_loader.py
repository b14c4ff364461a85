"""Names become architectures, backends and devices, or clear errors."""

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import folders

from speedrun.backends import registry
from speedrun.models import loader


def test_folders_are_the_architectures():
    assert "transformer" in loader.architecture_names()
    assert loader.architecture("transformer").LIKELIHOOD == "exact"
    with pytest.raises(LookupError, match="did you mean transformer"):
        loader.architecture("transfomer")


def test_a_folder_outside_the_project_is_an_architecture(tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(folders.ROOT / "architectures" / "transformer", folder)
    architecture = loader.architecture(str(folder))
    assert architecture.NAME == "mine", "paths belong to one machine, not into a record"
    assert architecture.for_params(100_000, 300).num_params == pytest.approx(1e5, rel=0.03)
    assert architecture.model("torch").__module__.startswith("speedrun_plugin_mine")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("LIKELIHOOD = 'exact'\n", "lacks Config, initial, a model file"),
        ("import a_package_that_is_not_there\n", "No module named 'a_package_that_is_not_there'"),
    ],
)
def test_a_folder_that_lacks_something_says_what(tmp_path, text, says):
    (tmp_path / "__init__.py").write_text(text)
    with pytest.raises(ValueError, match=says) as caught:
        loader.architecture(str(tmp_path))
    assert isinstance(caught.value.__cause__, ImportError) == text.startswith("import")


def test_auto_takes_an_available_device_that_the_architecture_is_written_for(tmp_path):
    assert registry.device("auto").available and registry.device("auto").backend != "numpy"
    assert registry.device("cpu").name == "cpu"
    assert registry.device("torch").backend == "torch"
    assert registry.device("auto", loader.architecture("ngram")).name == "numpy"
    assert registry.device("auto", loader.architecture("transformer")).backend == "torch"
    shutil.copytree(folders.ROOT / "architectures" / "ngram", tmp_path / "mine")
    (tmp_path / "mine" / "numpy_model.py").rename(tmp_path / "mine" / "abacus_model.py")
    with pytest.raises(ValueError, match=r"runs on abacus, and there is only: .*cpu"):
        registry.device("auto", loader.architecture(str(tmp_path / "mine")))


@pytest.mark.parametrize(
    ("arch", "choice", "where"), [("ngram", "cpu", "numpy"), ("transformer", "numpy", "cpu")]
)
def test_a_backend_that_the_architecture_is_not_written_for_is_refused(arch, choice, where):
    with pytest.raises(ValueError, match=rf"--device {choice}: .*_model.py; it runs .*{where}"):
        registry.device(choice, loader.architecture(arch))


def test_a_device_that_is_not_here_says_why_and_what_is():
    with pytest.raises(LookupError, match="did you mean cuda"):
        registry.device("cudaa")
    for missing in (d for d in registry.devices() if not d.available):
        with pytest.raises(ValueError, match=r"is not here: .+; there is: .*cpu"):
            registry.device(missing.name)


def test_threads_that_import_an_architecture_anew_do_not_meet():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(3) as pool:
            made = pool.map(lambda _: loader.architecture("transformer").imported_anew(), range(30))
            assert {one.NAME for one in made} == {"transformer"}
    finally:
        sys.setswitchinterval(before)
