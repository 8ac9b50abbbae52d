"""Running a model file with ONNX Runtime; the one place that knows it. Needs the extra ``onnx``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plimsoll.errors import MissingExtra, TargetError


class Session:
    """A model file, loaded. May be run from several threads at once.

    Args:
        path: the model file.

    Raises:
        MissingExtra: ONNX Runtime or NumPy is not installed.
        TargetError: the file cannot be read, or is no model that the runtime can run.
    """

    def __init__(self, path: Path) -> None:
        try:
            runtime = importlib.import_module("onnxruntime")
            self._numpy = importlib.import_module("numpy")
        except ImportError as why:
            raise MissingExtra("onnx", "a target under 'onnx'") from why
        if not path.is_file():
            raise TargetError(f"there is no model file '{path}'", fix="mend target.onnx.model")
        runtime.disable_telemetry_events()
        options = runtime.SessionOptions()
        options.log_severity_level = 3  # errors alone
        try:
            self._session: Any = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as why:
            raise TargetError(f"'{path}' is no model that ONNX Runtime can run: {why}", fix="export it anew") from why

    def close(self) -> None:
        """Let go of the model and of the runtime's threads."""
        self._session = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the model's inputs."""
        return tuple(each.name for each in self._session.get_inputs())

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the model's outputs."""
        return tuple(each.name for each in self._session.get_outputs())

    def tensor(self, value: Any, dtype: str, shape: Sequence[int]) -> Any:
        """A tensor of a record's values.

        Args:
            value: a number, or lists of them.
            dtype: NumPy's name of the type of its elements.
            shape: with at most one -1; empty: as the value has it.

        Raises:
            ValueError: it is not of numbers, ragged, or does not have the shape.
        """
        try:
            made = self._numpy.asarray(value)
            if made.dtype.kind not in "biuf":
                raise ValueError("it is not made of numbers")
            if dtype in {"int64", "int32", "uint8"} and not self._numpy.array_equal(made, made.astype(dtype)):
                raise ValueError(f"it holds what is no {dtype}")
            made = made.astype(dtype)
            return made.reshape(tuple(shape)) if shape else made
        except (TypeError, OverflowError) as why:
            raise ValueError(str(why)) from why

    def run(self, output: str, tensors: Mapping[str, Any]) -> Any:
        """One output of the model, as lists and numbers.

        Raises:
            RuntimeError: the runtime refused or failed.
        """
        if self._session is None:
            raise RuntimeError("it was closed")
        try:
            (found,) = self._session.run([output], dict(tensors))
        except Exception as why:
            raise RuntimeError(str(why)) from why
        return found.tolist() if hasattr(found, "tolist") else found
