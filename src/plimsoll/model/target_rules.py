"""What a manifest may not say of its target, although each of its values is well-formed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from plimsoll.errors import Problem
from plimsoll.model.endpoint import OWN_FIELDS, ChatEndpoint, Form, Header, Secret
from plimsoll.model.words import nearest
from plimsoll.model.yaml_source import Path

if TYPE_CHECKING:
    from plimsoll.model.manifest_rules import Read

_KINDS_OF_TARGET: Final = ("python", "http", "openai", "onnx")
# What only some kinds of target know, and which ones.
_ONLY_FOR: Final[Mapping[str, frozenset[str]]] = {
    "workers": frozenset({"python"}),
    "worker_memory_mib": frozenset({"python"}),
    "path": frozenset({"python"}),
    "identity": frozenset({"http", "openai"}),
}
_SECRET: Final = re.compile(r"authorization|cookie|(^|-)(key|token|secret|password|auth)$")


def _places(read: Read) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every target as written, with its path: the one that answers, and those in its fallback chain."""
    target = read.source.data.get("target") if isinstance(read.source.data, dict) else None
    if not isinstance(target, dict):
        return
    yield ("target",), target
    steps = target.get("fallback")
    for at, step in enumerate(steps if isinstance(steps, list) else ()):
        if isinstance(step, dict) and isinstance(step.get("target"), dict):
            yield ("target", "fallback", at, "target"), step["target"]


def _a_target_is_one_thing(read: Read) -> Iterator[Problem]:
    """Two things that answer are two releases, and nothing says which of them was measured."""
    for place, target in _places(read):
        kinds = [kind for kind in _KINDS_OF_TARGET if kind in target]
        if not kinds and not any(nearest(name, _KINDS_OF_TARGET) for name in target):  # one fault, one problem
            yield read.source.problem(
                "manifest.missing-key",
                place,
                "'target' has no 'python', 'http', 'openai' or 'onnx': nothing answers",
                fix="add 'python': the Python callable that answers, as package.module:callable; or one of the others",
                at_key=True,
            )
        for kind in kinds[1:]:
            yield read.source.problem(
                "manifest.target",
                (*place, kind),
                f"the target is named under '{kinds[0]}' and under '{kind}'; it is one thing",
                fix=f"remove {kinds[0]} or {kind}",
                at_key=True,
            )


def _a_key_suits_its_kind(read: Read) -> Iterator[Problem]:
    """A key without effect would look like a safeguard."""
    for place, target in _places(read):
        kinds = [kind for kind in _KINDS_OF_TARGET if kind in target]
        for key, those in _ONLY_FOR.items():
            if key in target and len(kinds) == 1 and kinds[0] not in those:
                known = " and ".join(kind for kind in _KINDS_OF_TARGET if kind in those)
                yield read.source.problem(
                    "manifest.target",
                    (*place, key),
                    f"'{key}' has no effect on a target under '{kinds[0]}'; it is for {known}",
                    fix="remove it",
                    at_key=True,
                )
        if "worker_memory_mib" in target and "workers" not in target and kinds == ["python"]:
            yield read.source.problem(
                "manifest.target",
                (*place, "worker_memory_mib"),
                "'worker_memory_mib' has no effect without 'workers'",
                fix="add workers, such as workers: 2",
                at_key=True,
            )


def _a_service_says_what_it_is(read: Read) -> Iterator[Problem]:
    """Evidence is about a version; of a service elsewhere, there is none but what it says."""
    for place, target in _places(read):
        if "http" in target and "identity" not in target and read.get(*place, "http") is not None:
            yield read.source.problem(
                "manifest.identity",
                (*place, "http"),
                "'target' has no 'identity': nothing says which version of the service answers",
                fix="add 'identity' beside 'http': what the service says of its version; another one, another release",
                at_key=True,
            )


def _a_secret_has_one_place(read: Read) -> Iterator[Problem]:
    """A secret in the manifest is a secret in the release, in the repository, and in every log that shows a diff."""
    for path, value in read.values.items():
        if isinstance(value, Header | Secret):
            given = [key for key in ("env", "file", "value") if getattr(value, key, "")]
            if len(given) != 1:
                place = ".".join(map(str, path))
                allowed = "env or file" if isinstance(value, Secret) else "env, file or value"
                yield read.source.problem(
                    "manifest.secret",
                    path,
                    f"'{place}' names {' and '.join(given) or 'nothing'}; it asks for one of {allowed}",
                    fix="write {env: CLAIMS_TOKEN}, and set the variable where the system runs",
                    at_key=True,
                )
            elif given == ["value"] and _SECRET.search(str(path[-1])):
                yield read.source.problem(
                    "manifest.secret",
                    (*path, "value"),
                    f"the header '{path[-1]}' holds what is secret, and its value stands in the manifest",
                    fix="write {env: CLAIMS_TOKEN} or {file: /run/secrets/token} in its place, and change the secret",
                )


def _chats(read: Read) -> Iterator[tuple[Path, ChatEndpoint]]:
    for place, _ in _places(read):
        endpoint = read.get(*place, "openai")
        if isinstance(endpoint, ChatEndpoint):
            yield (*place, "openai"), endpoint


def _a_chat_is_well_asked(read: Read) -> Iterator[Problem]:
    """Messages are a list, and settings leave alone what has a key of its own or could not be read back."""
    for at, endpoint in _chats(read):
        if endpoint.messages is not None and not isinstance(endpoint.messages.value, list):
            yield read.source.problem(
                "manifest.template",
                (*at, "messages"),
                "'messages' is not a list of messages",
                fix='write [{role: user, content: {as_text: "{/question}"}}]',
            )
        settings = {} if endpoint.settings is None else endpoint.settings.value
        if not isinstance(settings, dict):
            yield read.source.problem(
                "manifest.template",
                (*at, "settings"),
                "'settings' is not a group of keys",
                fix="write {temperature: 0}",
            )
            continue
        reasons = {
            **OWN_FIELDS,
            **({"response_format": "the schema asks for a format itself"} if endpoint.schema else {}),
        }
        for key in sorted(settings.keys() & reasons.keys()):
            yield read.source.problem(
                "manifest.target",
                (*at, "settings", key),
                f"'{key}' is not left to settings: {reasons[key]}",
                fix="remove it",
                at_key=True,
            )


def _an_answer_has_one_confidence(read: Read) -> Iterator[Problem]:
    """Two would leave open which of them is held against the threshold."""
    for at, endpoint in _chats(read):
        if endpoint.confidence_at is None:
            continue
        said = fix = ""
        if endpoint.confidence is not None:
            said = "'confidence_at' and 'confidence' are two confidences of one answer"
            fix = "remove one of them"
        elif endpoint.output is not Form.JSON and not (endpoint.output is None and endpoint.schema):
            said = "'confidence_at' is a place in a json answer, and this answer is none"
            fix = "write output: json, or name a schema"
        if said:
            yield read.source.problem("manifest.target", (*at, "confidence_at"), said, fix=fix, at_key=True)


TARGET_RULES: Final[tuple[Callable[[Read], Iterator[Problem]], ...]] = (
    _a_target_is_one_thing,
    _a_key_suits_its_kind,
    _a_service_says_what_it_is,
    _a_secret_has_one_place,
    _a_chat_is_well_asked,
    _an_answer_has_one_confidence,
)
