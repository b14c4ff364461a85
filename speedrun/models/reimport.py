"""A package executed again from the code that was first imported: nothing it kept is in it."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

_OWN = ("architectures", "speedrun")  # roots of packages of the project's own


class CodeSnapshot:
    """The code of a package's modules, kept so that files edited since play no part."""

    def __init__(self, package: ModuleType) -> None:
        self._name = package.__name__
        self._loaders: dict[str, SourceFileLoader] = {}
        self._folders: dict[str, list[str] | None] = {}
        for name, spec in _modules(package):
            code = spec.loader.get_code(name) if isinstance(spec.loader, SourceFileLoader) else None
            if code is not None and spec.origin is not None:
                self._loaders[name] = _Remembering(name, spec.origin, code)
                self._folders[name] = spec.submodule_search_locations

    def execute(self) -> ModuleType:
        """The package from newly executed modules, which take the place of those imported.

        Globals, classes, closures and caches of the earlier ones are not in it.
        """
        for name in self._loaders:
            sys.modules.pop(name, None)
        sys.meta_path.insert(0, self)  # type: ignore[arg-type]
        try:
            for name in self._loaders:
                importlib.import_module(name)
        finally:
            sys.meta_path.remove(self)  # type: ignore[arg-type]
        return sys.modules[self._name]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The finder's method that the import system calls."""
        if (loader := self._loaders.get(name)) is None:
            return None
        return importlib.util.spec_from_file_location(
            name, loader.path, loader=loader, submodule_search_locations=self._folders[name]
        )


class _Remembering(SourceFileLoader):
    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code


def _modules(package: ModuleType) -> Iterator[tuple[str, ModuleSpec]]:
    """Imported modules of the package's distribution, and others from files in its folder."""
    root = package.__name__.partition(".")[0]
    root = package.__name__ if root in _OWN else root
    folder = f"{Path(str(package.__file__)).parent}{os.sep}"
    # A copy, which is one operation: another thread may import meanwhile.
    for name, module in sys.modules.copy().items():
        spec = getattr(module, "__spec__", None)
        if spec is None or spec.name != name:
            continue
        if name == root or name.startswith(f"{root}.") or f"{spec.origin}".startswith(folder):
            yield name, spec
