"""Kernels of a compiled graph in shared files: each is called by its number, and once built."""

import shutil
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from speedrun.backends.torch import compile as compiler  # noqa: E402
from speedrun.backends.torch import cpp_kernels  # noqa: E402
from speedrun.backends.torch.cpp_kernels import Kernel  # noqa: E402

SCALING = """
#include <torch/csrc/inductor/cpp_prefix.h>
extern "C"  void  kernel(const float* in_ptr0, float* out_ptr0, const int64_t ks0)
{
    #pragma GCC ivdep
    for(int64_t x0=0; x0<ks0; x0+=1) { out_ptr0[x0] = FACTOR * in_ptr0[x0]; }
}
"""
ARGTYPES = ["const float*", "float*", "const int64_t"]
PLAIN = SCALING.replace("FACTOR", "2")


@pytest.mark.parametrize(
    ("source", "is_plain"),
    [
        (PLAIN, True),
        (PLAIN.replace("#pragma", "#define"), False),
        (PLAIN + "#include <omp.h>", False),
        (PLAIN.replace("torch/csrc", "elsewhere"), False),
        (PLAIN.replace("kernel(", "other("), False),
        (PLAIN + PLAIN.replace("#include <torch/csrc/inductor/cpp_prefix.h>", ""), False),
    ],
)
def test_only_one_include_and_one_function_share_a_file(source, is_plain):
    assert Kernel(ARGTYPES, source).is_plain is is_plain


@pytest.mark.parametrize(
    ("num_kernels", "num_threads", "files"), [(1, 8, 1), (7, 2, 2), (25, 2, 2)]
)
def test_files_are_few_and_of_similar_length(num_kernels, num_threads, files):
    kernels = {str(i): Kernel([], "x" * (100 + i)) for i in range(num_kernels)}
    units = cpp_kernels.units(kernels, num_threads)
    assert sorted(name for unit in units for name in unit) == sorted(kernels)
    lengths = [sum(len(kernels[name].source) for name in unit) for unit in units]
    assert len(units) == files and max(lengths) - min(lengths) <= 200


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")
def test_each_kernel_does_its_own_and_a_file_cut_short_is_built_again(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    compiler._prepare_compiler()
    cpp_kernels.install()
    from torch._inductor.async_compile import AsyncCompile

    sources = [SCALING.replace("FACTOR", str(factor)) for factor in (2, 3)]
    for _ in range(2):
        scope: dict[str, Any] = {f"by_{n}": Kernel(ARGTYPES, s) for n, s in enumerate(sources, 2)}
        cpp_kernels._wait(AsyncCompile(), scope)
        x, y = torch.arange(4.0), torch.zeros(4)
        for name, factor in (("by_3", 3), ("by_2", 2), ("by_3", 3)):
            assert scope[name](x, y, 4) is None
            assert y.tolist() == (factor * x).tolist()
        with pytest.raises(RuntimeError, match="wrong number of args"):
            scope["by_2"](x, y)
        (built,) = Path(tmp_path).rglob("*.main.so")
        built.unlink()  # mapped still
        built.write_bytes(b"\x7fELF")
        _forget()


def _forget() -> None:
    """Forget what is loaded, as in a new process."""
    from torch._inductor.codecache import CppPythonBindingsCodeCache

    CppPythonBindingsCodeCache.cache_clear()
