"""The C++ kernels of a compiled graph, built in few translation units and beside other work.

PyTorch's compiler gives every kernel a file of its own. Reading the headers takes a C++ compiler
longer than a kernel does, and a precompiled header takes a dozen seconds once. So the kernels of
a graph are shared out over one file a compiler thread, and are waited for at their first call:
until then the compiler translates the next graph.

It rests on the interface between generated modules and `AsyncCompile` of the PyTorch that this
project pins; kernels of a form that is not known are left to the compiler as they are.
"""

import contextvars
import functools
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_INCLUDE = "#include <torch/csrc/inductor/cpp_prefix.h>"
_NAME = re.compile(r'extern "C"\s+void\s+kernel\(')
_DIRECTIVE = re.compile(r"^\s*#\s*(?!pragma\b)", re.MULTILINE)
# A kernel that each file can hold beside its own cost: more files for fewer do not pay.
_LEAST_PER_UNIT = 3


# Kernels give up Python's lock while they run: workers compute side by side.
_RELEASED = (
    "struct Released { PyThreadState* state = PyEval_SaveThread();"
    " ~Released() { PyEval_RestoreThread(state); } };"
)


@dataclass(frozen=True)
class Kernel:
    """Source of one kernel, a function `kernel` of pointers and integers."""

    argtypes: Sequence[str]
    source: str

    @property
    def is_plain(self) -> bool:
        """Whether the source is one include and one function, so that files can be joined."""
        body = self.source.replace(_INCLUDE, "", 1)
        return body != self.source and len(_NAME.findall(body)) == 1 and not _DIRECTIVE.search(body)


def install() -> None:
    """Have every graph that is compiled from now on share files; harmless if done twice."""
    from torch._inductor.async_compile import AsyncCompile

    if AsyncCompile.wait is not _wait:
        _original["cpp_pybinding"], _original["wait"] = (
            AsyncCompile.cpp_pybinding,
            AsyncCompile.wait,
        )
        AsyncCompile.cpp_pybinding = _cpp_pybinding  # type: ignore[method-assign]
        AsyncCompile.wait = _wait  # type: ignore[method-assign]


_original: dict[str, Callable[..., Any]] = {}
_begun: list[Future[Any]] = []  # in this process


def _cpp_pybinding(compiler: Any, argtypes: list[str], source_code: str) -> Any:
    """Keep a kernel for `_wait`, which the generated module calls after its last one."""
    kernel = Kernel(argtypes, source_code)
    return (
        kernel if kernel.is_plain else _original["cpp_pybinding"](compiler, argtypes, source_code)
    )


def _wait(compiler: Any, scope: dict[str, Any]) -> None:
    """Start building what `scope` has of kernels; each is loaded where it is first called."""
    from torch._inductor.async_compile import get_compile_threads

    kernels = {name: value for name, value in scope.items() if isinstance(value, Kernel)}
    for unit in units(kernels, get_compile_threads()):
        text = source([kernels[name] for name in unit])
        # The compiler's settings are variables of a context, which a thread has its own of.
        built = compiler.submit(functools.partial(contextvars.copy_context().run, _build, text))
        if isinstance(built, Future):
            _begun.append(built)
        for number, name in enumerate(unit):
            scope[name] = _at_first_call(scope, name, built, number)
    _original["wait"](compiler, scope)


def _at_first_call(scope: dict[str, Any], name: str, built: Any, number: int) -> Callable[..., Any]:
    def kernel(*args: Any) -> Any:
        entry = _result(built) if isinstance(built, Future) else built
        scope[name] = functools.partial(entry, number)
        return scope[name](*args)

    return kernel


def _result(built: Future[Any]) -> Any:
    """The library that was built; after a failure no other file is built during the race."""
    try:
        return built.result()
    except Exception:
        for other in _begun:
            other.cancel()
        wait(_begun)
        raise


def _build(text: str) -> Callable[..., Any]:
    from torch._inductor.codecache import CppPythonBindingsCodeCache as Bindings

    load = Bindings.load_async(text, "cpu")
    try:
        return load().kernel
    except ImportError as error:  # cut short, where an earlier process was ended as it was built
        if error.path is None:
            raise
        Path(error.path).unlink()
        return load().kernel


def units(kernels: dict[str, Kernel], num_units: int) -> list[list[str]]:
    """The names shared out over at most so many files of similar length."""
    num_units = max(1, min(num_units, len(kernels) // _LEAST_PER_UNIT))
    shares: list[list[str]] = [[] for _ in range(num_units)]
    lengths = [0] * num_units
    for name in sorted(kernels, key=lambda name: -len(kernels[name].source)):
        shortest = lengths.index(min(lengths))
        shares[shortest].append(name)
        lengths[shortest] += len(kernels[name].source)
    return [share for share in shares if share]


def source(kernels: Sequence[Kernel]) -> str:
    """One file for all of them, whose only entry takes the number of a kernel first."""
    from torch._inductor.codecache import CppPythonBindingsCodeCache as Bindings

    bodies, cases = [], []
    for number, kernel in enumerate(kernels):
        body = kernel.source.replace(_INCLUDE, "", 1)
        bodies.append(_NAME.sub(f"static void kernel_{number}(", body))
        args = ", ".join(
            f"parse_arg<{argtype.replace('const ', '')}>(args, {place})"
            for place, argtype in enumerate(kernel.argtypes, 1)
        )
        expected = f"if(PyTuple_GET_SIZE(args) != {len(kernel.argtypes) + 1})"
        cases.append(
            f'case {number}: {expected} throw std::runtime_error("wrong number of args");'
            f" [](auto... args) {{ Released released; kernel_{number}(args...); }}({args}); break;"
        )
    chosen = (
        f"{_RELEASED} switch(parse_arg<int64_t>(args, 0)) {{ {' '.join(cases)}"
        ' default: throw std::runtime_error("no such kernel"); } Py_RETURN_NONE;'
    )
    binding = Bindings.suffix_template.format(
        arg_len="PyTuple_GET_SIZE(args)",  # each kernel counts its own
        call_entry_func=chosen,
        entry_func="kernel",
        extra_parse_arg="",
    )
    return "\n".join((_INCLUDE, *bodies, binding))
