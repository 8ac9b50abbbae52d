"""The one place that makes targets of what a manifest declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec

from plimsoll.engine.workers import REGULAR
from plimsoll.errors import TargetError
from plimsoll.guard.chat_target import ChatTarget
from plimsoll.guard.http_target import HttpTarget
from plimsoll.guard.onnx_target import OnnxTarget
from plimsoll.guard.target import Target, load_python_target
from plimsoll.guard.workers_target import load_workers_target
from plimsoll.model.endpoint import ChatEndpoint, HttpService
from plimsoll.model.manifest import Target as Declared


def load_target(
    declared: Declared,
    folder: Path,
    *,
    worker: str = REGULAR,
    on_opened: Callable[[tuple[str, ...]], None] = lambda _: None,
) -> Target:
    """What answers, ready to be asked; whoever loads it closes it.

    A Python callable is imported, here or in its worker processes; a service is not asked yet.

    Args:
        declared: the target of a manifest that was read without a problem.
        folder: that its files are relative to.
        worker: the main module of worker processes.
        on_opened: told which files worker processes opened, where their main module watches them.

    Raises:
        TargetError: it cannot be imported, started or asked as declared; with what to do.
        MissingExtra: it needs an extra that is not installed.
    """
    if declared.http is not None:
        return HttpTarget(
            declared.http,
            identity=declared.identity,
            folder=folder,
            texts=_texts(declared.http, folder),
            connections=declared.concurrency,
            repeatable=declared.idempotent,
        )
    if declared.openai is not None:
        schema = _schema(declared.openai, folder)
        return ChatTarget(
            declared.openai,
            identity=declared.identity,
            folder=folder,
            texts=_texts(declared.openai, folder),
            schema=schema,
            fits=(lambda _: "") if schema is None else _checker(declared.openai.schema or "", schema),
            connections=declared.concurrency,
        )
    if declared.onnx is not None:
        return OnnxTarget(declared.onnx, folder)
    search = (folder, *(folder / place for place in declared.path))
    if declared.workers is None:
        return load_python_target(declared.python, search)
    return load_workers_target(
        declared.python,
        search,
        processes=declared.workers,
        memory_mib=declared.worker_memory_mib,
        module=worker,
        on_opened=on_opened,
    )


def _texts(endpoint: HttpService | ChatEndpoint, folder: Path) -> dict[str, str]:
    """The text of each file that a request is made of."""
    made = (endpoint.request,) if isinstance(endpoint, HttpService) else (endpoint.messages, endpoint.settings)
    files: Iterable[str] = (file for template in made if template is not None for file in template.files)
    return {file: _read(folder / file, "template") for file in files}


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as why:
        raise TargetError(
            f"the file '{path}' of the target's {what} cannot be read: {why.strerror}", fix="mend its path"
        ) from why
    except UnicodeDecodeError as why:
        raise TargetError(f"the file '{path}' of the target's {what} is not UTF-8", fix="save it as UTF-8") from why


def _schema(endpoint: ChatEndpoint, folder: Path) -> Any:
    if endpoint.schema is None:
        return None
    text = _read(folder / endpoint.schema, "schema")
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as why:
        raise TargetError(f"the schema '{endpoint.schema}' is not JSON: {why}", fix="mend the file") from why


def _nothing_from_elsewhere(uri: str) -> Any:
    raise ValueError(f"'{uri}' is not in this file, and nothing is fetched")


def _checker(name: str, schema: Any) -> Callable[[Any], str]:
    """Gives where an answer does not have the schema, by its place and rule; never the value that stands there."""
    try:
        validator = jsonschema_rs.validator_for(schema, retriever=_nothing_from_elsewhere)
    except (jsonschema_rs.ValidationError, ValueError) as why:
        raise TargetError(f"'{name}' is not a JSON Schema: {why}", fix="mend the file") from why

    def fits(answer: Any) -> str:
        fault = next(iter(validator.iter_errors(answer)), None)
        if fault is None:
            return ""
        place = "".join(f"/{step}" for step in fault.instance_path)
        rule = [str(step) for step in fault.schema_path]
        return f"'{place}' breaks its rule '{rule[-1] if rule else 'false'}'"

    return fits
