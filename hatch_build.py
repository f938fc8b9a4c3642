"""Puts into the wheel what boards need: bytecode of the library and application, board files.

microwamp/_device/mpy/ARCH/PACKAGE/MODULE.mpy
microwamp/_device/app/...
microwamp/_device/boards/NAME/...
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_TARGET = "microwamp/_device"


class CustomBuildHook(BuildHookInterface):
    """The hook of pyproject.toml's `tool.hatch.build.targets.wheel.hooks.custom`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name the files. An editable install takes everything from the sources."""
        if version == "editable":
            return
        root = Path(self.root)
        spec = importlib.util.spec_from_file_location(
            "bytecode", root / "host" / "microwamp" / "boards" / "bytecode.py"
        )
        assert spec is not None and spec.loader is not None
        bytecode = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(bytecode)
        application = root / "firmware" / "app"
        library = root / "firmware" / "lib" / "wamp"
        packages = (library, application / "wampapp", bytecode.accelerators(root))
        made = bytecode.compile_packages(packages, root / "build" / "mpy")
        include = build_data["force_include"]
        for folder, name, pattern in (
            (made, "mpy", "*.mpy"),
            (application, "app", "*.py"),
            (root / "boards", "boards", "*.*"),
        ):
            for path in sorted(folder.rglob(pattern)):
                if path.is_file() and "__pycache__" not in path.parts:
                    include[str(path)] = f"{_TARGET}/{name}/{path.relative_to(folder)}"
