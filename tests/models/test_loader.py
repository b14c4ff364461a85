"""Names become architectures, backends and devices, or clear errors."""

import shutil
from pathlib import Path

import pytest

from speedrun.backends import registry
from speedrun.models import loader

ROOT = Path(__file__).resolve().parents[2]


def test_folders_are_the_architectures():
    assert "transformer" in loader.architecture_names()
    assert loader.architecture("transformer").LIKELIHOOD == "exact"


def test_an_unknown_architecture_offers_the_nearest():
    with pytest.raises(LookupError, match="did you mean transformer"):
        loader.architecture("transfomer")


def test_a_folder_outside_the_project_is_an_architecture(tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(ROOT / "architectures" / "transformer", folder)
    architecture = loader.architecture(str(folder))
    assert architecture.NAME == "mine", "paths belong to one machine, not into a record"
    assert architecture.for_params(100_000, 300).num_params == pytest.approx(1e5, rel=0.03)
    assert architecture.model("torch").__module__.startswith("speedrun_plugin_mine")


def test_a_folder_that_lacks_something_says_what(tmp_path):
    with pytest.raises(ValueError, match=r"no __init__.py"):
        loader.architecture(str(tmp_path))
    (tmp_path / "__init__.py").write_text("LIKELIHOOD = 'exact'\n")
    with pytest.raises(ValueError, match="lacks Config, initial, a model file"):
        loader.architecture(str(tmp_path))


def test_an_import_error_inside_a_plugin_is_shown_as_it_is(tmp_path):
    (tmp_path / "__init__.py").write_text("import a_package_that_is_not_there\n")
    with pytest.raises(ValueError, match="No module named 'a_package_that_is_not_there'") as caught:
        loader.architecture(str(tmp_path))
    assert isinstance(caught.value.__cause__, ImportError)


def test_an_architecture_says_what_it_is_written_for():
    with pytest.raises(ValueError, match=r"no abacus_model.py.*runs on .*torch"):
        loader.architecture("transformer").model("abacus")


def test_auto_takes_an_available_device_and_the_processor_is_always_there():
    assert registry.device("auto").available
    assert registry.device("cpu").name == "cpu"
    assert registry.device("torch").backend == "torch"


def test_auto_takes_a_device_that_the_architecture_is_written_for():
    assert registry.device("auto", loader.architecture("ngram")).name == "numpy"
    assert registry.device("auto", loader.architecture("transformer")).backend == "torch"
    assert registry.device("auto").backend != "numpy"


@pytest.mark.parametrize(
    ("arch", "choice", "where"), [("ngram", "cpu", "numpy"), ("transformer", "numpy", "cpu")]
)
def test_a_backend_that_the_architecture_is_not_written_for_is_refused(arch, choice, where):
    with pytest.raises(ValueError, match=rf"--device {choice}: .*_model.py; it runs .*{where}"):
        registry.device(choice, loader.architecture(arch))


def test_an_architecture_without_a_device_here_says_so(tmp_path):
    shutil.copytree(ROOT / "architectures" / "ngram", tmp_path / "mine")
    (tmp_path / "mine" / "numpy_model.py").rename(tmp_path / "mine" / "abacus_model.py")
    with pytest.raises(ValueError, match=r"runs on abacus, and there is only: .*cpu"):
        registry.device("auto", loader.architecture(str(tmp_path / "mine")))


def test_an_unknown_backend_offers_what_there_is():
    with pytest.raises(LookupError, match="did you mean cuda"):
        registry.device("cudaa")


def test_a_backend_that_is_not_here_says_why_and_what_is():
    missing = [d for d in registry.devices() if not d.available]
    if not missing:
        pytest.skip("every device is here")
    with pytest.raises(ValueError, match=r"is not here: .+; there is: .*cpu"):
        registry.device(missing[0].name)
