"""A model file as a target: fields of a record become tensors, one output becomes the answer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from plimsoll.engine.onnx import Session
from plimsoll.errors import TargetError
from plimsoll.guard.target import Ask, TargetFault
from plimsoll.model.decision import Result
from plimsoll.model.endpoint import OnnxModel
from plimsoll.model.pointer import look_up, parse_pointer


class OnnxTarget:
    """A model that ONNX Runtime runs in this process. Like any target in process, it cannot be stopped once it runs.

    With ``labels``, the output is a vector of scores for one record: the answer is the label of the highest, and the
    confidence that score (or its softmax). Without, the answer is the output itself, and there is no confidence.

    Args:
        declared: what the manifest says of it.
        folder: that its file is relative to.

    Raises:
        MissingExtra: the extra ``onnx`` is not installed.
        TargetError: the file is no model, or has no such input or output.
    """

    destination = ""
    is_async = False

    def __init__(self, declared: OnnxModel, folder: Path) -> None:
        self.name = declared.model
        self._declared = declared
        self._session = Session(folder / declared.model)
        self._pointers = [(tensor, parse_pointer(tensor.pointer)) for tensor in declared.inputs]
        named = [tensor.name for tensor in declared.inputs]
        self._output = declared.output or self._session.outputs[0]
        if sorted(named) != sorted(self._session.inputs):
            raise TargetError(
                f"the model '{declared.model}' has the inputs {', '.join(self._session.inputs)}; "
                f"the manifest names {', '.join(named)}",
                fix="mend target.onnx.inputs",
            )
        if self._output not in self._session.outputs:
            raise TargetError(
                f"the model '{declared.model}' has no output '{self._output}'; it has "
                f"{', '.join(self._session.outputs)}",
                fix="mend target.onnx.output",
            )

    def ask(self, ask: Ask) -> Result:
        """Run the model on one record.

        Raises:
            TargetFault: "invalid": a field is missing or does not make its tensor, or the output is not as declared;
                "error": the runtime failed.
        """
        tensors = {}
        for tensor, steps in self._pointers:
            try:
                value = look_up(ask.record, steps)
                tensors[tensor.name] = self._session.tensor(value, tensor.dtype.value, tensor.shape)
            except LookupError:
                raise TargetFault("invalid", f"the record has nothing at '{tensor.pointer}'") from None
            except ValueError as why:
                raise TargetFault("invalid", f"what is at '{tensor.pointer}' makes no tensor: {why}") from why
        try:
            output = self._session.run(self._output, tensors)
        except RuntimeError as why:
            raise TargetFault("error", f"ONNX Runtime: {why}") from why
        return self._answer(output) if self._declared.labels else Result(output)

    def close(self) -> None:
        """Let go of the model."""
        self._session.close()

    def _answer(self, output: Any) -> Result:
        labels = self._declared.labels
        scores = output
        while isinstance(scores, list) and len(scores) == 1 and isinstance(scores[0], list):
            scores = scores[0]  # a batch of one
        if not isinstance(scores, list) or len(scores) != len(labels) or not all(map(_is_finite, scores)):
            raise TargetFault("invalid", f"the output is no vector of {len(labels)} scores, one for each label")
        best = max(range(len(scores)), key=scores.__getitem__)
        confidence = softmax(scores)[best] if self._declared.softmax else scores[best]
        if not 0.0 <= confidence <= 1.0:
            raise TargetFault("invalid", "the highest score is no probability; write softmax: true if these are logits")
        return Result(labels[best], confidence=float(confidence))


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def softmax(scores: list[float]) -> list[float]:
    """Probabilities of logits, without overflow.

    >>> softmax([1000.0, 1000.0])
    [0.5, 0.5]
    """
    highest = max(scores)
    powers = [math.exp(score - highest) for score in scores]
    return [power / math.fsum(powers) for power in powers]
