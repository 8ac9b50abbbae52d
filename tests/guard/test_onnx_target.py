"""A model file as a target, run by ONNX Runtime itself."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from plimsoll.errors import MissingExtra, TargetError
from plimsoll.guard import Ask, TargetFault
from plimsoll.guard.onnx_target import OnnxTarget, softmax
from plimsoll.guard.targets import load_target
from plimsoll.model.decision import Result
from plimsoll.model.endpoint import Number, OnnxModel, Tensor
from plimsoll.model.manifest import Target
from plimsoll.testing.target import FailingTargetConformance, TargetConformance

WEIGHTS = np.array([[1, 0, 2], [0, 1, 0], [0, 0, 1], [1, 1, 0]], dtype=np.float32)  # 4 features, 3 labels
FEATURES = [1.0, 2.0, 0.5, 0.0]


def save(path, nodes, inputs, outputs, constants=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, [onnx.numpy_helper.from_array(a, n) for n, a in constants])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three models: a linear classifier, the sum of an int64 and a bool input, and one that passes its input on."""
    place = tmp_path_factory.mktemp("models")
    tensor = helper.make_tensor_value_info
    save(
        place / "linear.onnx",
        [
            helper.make_node("MatMul", ["X", "W"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        [tensor("X", TensorProto.FLOAT, ["batch", 4])],
        [tensor("logits", TensorProto.FLOAT, ["batch", 3]), tensor("probabilities", TensorProto.FLOAT, ["batch", 3])],
        [("W", WEIGHTS)],
    )
    save(
        place / "two.onnx",
        [
            helper.make_node("Cast", ["flag"], ["number"], to=TensorProto.INT64),
            helper.make_node("Add", ["count", "number"], ["sum"]),
        ],
        [tensor("count", TensorProto.INT64, []), tensor("flag", TensorProto.BOOL, [])],
        [tensor("sum", TensorProto.INT64, [])],
    )
    save(
        place / "same.onnx",
        [helper.make_node("Identity", ["X"], ["Y"])],
        [tensor("X", TensorProto.DOUBLE, ["n"])],
        [tensor("Y", TensorProto.DOUBLE, ["n"])],
    )
    return place


LINEAR = OnnxModel(
    model="linear.onnx",
    inputs=(Tensor(name="X", pointer="/features", shape=(1, -1)),),
    labels=("cat", "dog", "none"),
    softmax=True,
)


def ask(folder, declared, record):
    target = load_target(Target(onnx=declared), folder)
    assert isinstance(target, OnnxTarget)
    return target.ask(Ask(record=record))


def test_the_answer_is_the_label_with_the_highest_score_and_its_softmax_the_confidence(folder):
    logits = np.array(FEATURES, dtype=np.float32) @ WEIGHTS
    expected = np.exp(logits) / np.exp(logits).sum()
    result = ask(folder, LINEAR, {"features": FEATURES})
    assert result.output == ("cat", "dog", "none")[int(np.argmax(logits))] == "none"
    assert result.confidence == pytest.approx(expected.max())


def test_an_output_that_holds_probabilities_is_taken_as_it_is(folder):
    declared = msgspec.structs.replace(LINEAR, output="probabilities", softmax=False)
    assert ask(folder, declared, {"features": FEATURES}).confidence == pytest.approx(
        ask(folder, LINEAR, {"features": FEATURES}).confidence, abs=1e-6
    )
    with pytest.raises(TargetFault, match="write softmax: true"):
        ask(folder, msgspec.structs.replace(LINEAR, softmax=False), {"features": FEATURES})


def test_without_labels_the_output_is_the_answer(folder):
    declared = OnnxModel(model="linear.onnx", inputs=LINEAR.inputs)
    assert ask(folder, declared, {"features": FEATURES}) == Result([[1.0, 2.0, 2.5]])


def test_each_input_has_its_own_place_and_type(folder):
    declared = OnnxModel(
        model="two.onnx",
        inputs=(
            Tensor(name="count", pointer="/n", dtype=Number.INT64),
            Tensor(name="flag", pointer="/a/0", dtype=Number.BOOL),
        ),
    )
    assert ask(folder, declared, {"n": 41, "a": [True]}) == Result(42)


@pytest.mark.parametrize(
    ("record", "kind", "said"),
    [
        ({}, "invalid", "nothing at '/features'"),
        ([1], "invalid", "nothing at '/features'"),
        ({"features": "text"}, "invalid", "not made of numbers"),
        ({"features": [1, "2", 3, 4]}, "invalid", "not made of numbers"),
        ({"features": [[1], [1, 2]]}, "invalid", "makes no tensor"),
        ({"features": None}, "invalid", "not made of numbers"),
        ({"features": {"a": 1}}, "invalid", "not made of numbers"),
        ({"features": [1.0, 2.0]}, "error", "ONNX Runtime"),
    ],
)
def test_a_record_that_makes_no_tensor_is_a_failure_of_its_kind(folder, record, kind, said):
    with pytest.raises(TargetFault, match=said) as caught:
        ask(folder, LINEAR, record)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(1.5, Number.INT64), (300, Number.UINT8), (-1, Number.UINT8), (2**40, Number.INT32), (2**70, Number.INT64)],
)
def test_a_number_that_the_type_does_not_hold_is_not_bent_into_it(folder, value, dtype):
    declared = OnnxModel(
        model="two.onnx",
        inputs=(Tensor(name="count", pointer="/n", dtype=dtype), Tensor(name="flag", pointer="/f", dtype=Number.BOOL)),
    )
    with pytest.raises(TargetFault) as caught:
        ask(folder, declared, {"n": value, "f": True})
    assert caught.value.kind == "invalid"


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (OnnxModel(model="none.onnx", inputs=LINEAR.inputs), "there is no model file"),
        (OnnxModel(model="text.onnx", inputs=LINEAR.inputs), "no model that ONNX Runtime can run"),
        (OnnxModel(model="linear.onnx", inputs=(Tensor(name="Y"),)), "has the inputs X; the manifest names Y"),
        (OnnxModel(model="linear.onnx", inputs=(*LINEAR.inputs, Tensor(name="Y"))), "the manifest names X, Y"),
        (
            OnnxModel(model="linear.onnx", inputs=LINEAR.inputs, output="z"),
            "has no output 'z'; it has logits, probabilities",
        ),
    ],
)
def test_a_file_that_is_not_the_declared_model_is_said_at_once(folder, declared, said):
    (folder / "text.onnx").write_text("not a model")
    with pytest.raises(TargetError) as caught:
        load_target(Target(onnx=declared), folder)
    assert said in caught.value.message
    assert caught.value.fix


def test_labels_that_are_more_than_the_scores_are_a_failure(folder):
    declared = OnnxModel(model="linear.onnx", inputs=LINEAR.inputs, labels=("a", "b"), softmax=True)
    with pytest.raises(TargetFault, match="no vector of 2 scores"):
        ask(folder, declared, {"features": FEATURES})


def test_a_score_that_is_no_number_is_a_failure(folder):
    with pytest.raises(TargetFault, match="no vector"):
        ask(folder, LINEAR, {"features": [float("nan")] * 4})


def test_softmax_does_not_overflow():
    assert softmax([-1000.0, 1000.0]) == [0.0, 1.0]
    assert sum(softmax([3.0, 2.0, 1.0])) == pytest.approx(1.0)


def test_without_the_extra_it_says_which_one_is_missing(folder):
    program = f"""
import sys
from pathlib import Path
sys.modules["onnxruntime"] = None  # as where it is not installed
from plimsoll.errors import MissingExtra
from plimsoll.guard.targets import load_target
from plimsoll.model.endpoint import OnnxModel
from plimsoll.model.manifest import Target
try:
    load_target(Target(onnx=OnnxModel(model="linear.onnx", inputs=())), Path({str(folder)!r}))
except MissingExtra as why:
    print(why.extra, why.fix)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "onnx pip install 'plimsoll-ai[onnx]'\n"
    assert MissingExtra("onnx", "x").extra == "onnx"


class TestOnnx(TargetConformance, FailingTargetConformance):
    @pytest.fixture(autouse=True)
    def _models(self, folder):
        self.folder = folder

    @contextmanager
    def open_target(self, _place):
        target = load_target(
            Target(onnx=OnnxModel(model="same.onnx", inputs=(Tensor(name="X", dtype=Number.FLOAT64),))), self.folder
        )
        try:
            yield target
        finally:
            target.close()

    def record(self, value):
        return value

    def values(self):
        return [[float(n), 1e300, -0.5] for n in range(16)] + [[0.25] * 200_000, []]

    def faults(self):
        return {"invalid": ("text", [[1.0], [1.0, 2.0]]), "error": ([[1.0], [2.0]],)}
