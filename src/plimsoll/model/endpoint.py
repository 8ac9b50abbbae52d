"""What a manifest declares of a target that is no Python callable: a service, a chat endpoint, a model file."""

from __future__ import annotations

import enum
import re
from typing import Annotated, Any, Final

import msgspec

from plimsoll.model.asked import Asked, File, Name, Pointer, Says, Slug, Url, Value, Variable
from plimsoll.model.declared import Declared
from plimsoll.model.template import Template

_NONE: Final[Any] = msgspec.field(default_factory=dict)  # no headers


class Secret(Declared, frozen=True, kw_only=True):
    """A value that is never written down here: it is read where the system runs."""

    env: Annotated[Variable, Says("the environment variable that holds it")] = ""
    file: Annotated[
        File, Says("the file that holds it, relative to the manifest or absolute; read anew as it changes")
    ] = ""


class Header(Declared, frozen=True, kw_only=True):
    """The value of one header: from the environment, from a file, or as it stands."""

    env: Annotated[Variable, Says("the environment variable that holds it")] = ""
    file: Annotated[
        File, Says("the file that holds it, relative to the manifest or absolute; read anew as it changes")
    ] = ""
    value: Annotated[Value, Says("the value itself, where it is no secret")] = ""
    prefix: Annotated[Value, Says('what stands before it, such as "Bearer "; give it in quotes')] = ""


class Mapping(Declared, frozen=True, kw_only=True):
    """Where in a reply each part of an answer stands, as JSON Pointers."""

    output: Annotated[Pointer, Says("the answer; without it, the whole reply")] = ""
    confidence: Annotated[Pointer | None, Says("a number from 0 to 1")] = None
    sources: Annotated[Pointer | None, Says("a list of what the answer rests on")] = None
    reasons: Annotated[Pointer | None, Says("a list of what moved it, or one text")] = None
    usage: Annotated[Pointer | None, Says("an object of counts by name; what is no number in it is left out")] = None
    input_tokens: Annotated[Pointer | None, Says("tokens that were read; recorded as usage")] = None
    output_tokens: Annotated[Pointer | None, Says("tokens that were written; recorded as usage")] = None
    identity: Annotated[
        Pointer | None, Says("what must equal target.identity; a reply that says otherwise is no answer")
    ] = None


class HttpService(Declared, frozen=True, kw_only=True):
    """A service that takes JSON by POST and gives JSON."""

    url: Annotated[Url, Says("where it is asked, http:// or https://")]
    headers: Annotated[dict[Slug, Header], Says("each header that is sent, by its name in lower case")] = msgspec.field(
        default_factory=dict
    )
    request: Annotated[Template | None, Says("what is sent, made from the record; without it, the record itself")] = (
        None
    )
    response: Annotated[Mapping, Says("where in the reply each part of the answer stands")] = Mapping()
    authorities: Annotated[
        File | None, Says("a PEM file of certificate authorities in place of the system's; part of the release")
    ] = None


class Form(enum.StrEnum):
    """What of a chat reply is the answer: its text, the JSON in its text, or the whole message with its tool calls."""

    TEXT = "text"
    JSON = "json"
    MESSAGE = "message"


class Certainty(enum.StrEnum):
    """How tokens' probabilities make a confidence: their product, their geometric mean, or the smallest."""

    JOINT = "joint"
    MEAN = "mean"
    LEAST = "least"


# Fields of a chat request that are not left to settings, and why.
OWN_FIELDS: Final = {
    "model": "it has a key of its own",
    "messages": "they have a key of their own",
    "stream": "whoever asks says whether the answer is streamed",
    "stream_options": "stream_usage says what is asked for",
    "logprobs": "confidence asks for them",
    "top_logprobs": "nothing reads them",
    "n": "there is one answer to one question",
}


class ChatEndpoint(Declared, frozen=True, kw_only=True):
    """An endpoint that speaks OpenAI's chat completions."""

    url: Annotated[Url, Says("its base URL, such as https://api.openai.com/v1")]
    model: Annotated[Name, Says("the model that is asked for")]
    key: Annotated[Secret | None, Says("its API key, sent as a bearer token")] = None
    headers: Annotated[dict[Slug, Header], Says("each further header that is sent, by its name in lower case")] = (
        msgspec.field(default_factory=dict)
    )
    messages: Annotated[
        Template | None,
        Says("the list of messages, made from the record; without it, the record is a chat request with messages"),
    ] = None
    settings: Annotated[Template | None, Says("further fields of every request: temperature, max_tokens, tools")] = None
    schema: Annotated[
        File | None,
        Says("a JSON Schema that the answer must have, asked for as structured output; part of the release"),
    ] = None
    output: Annotated[
        Form | None,
        Says("what of the reply is the answer; without it: json with a schema, message without messages, else text"),
    ] = None
    confidence: Annotated[
        Certainty | None, Says("asks for the tokens' log probabilities, and makes a confidence of them")
    ] = None
    confidence_at: Annotated[Pointer | None, Says("where in a json answer the model itself says how sure it is")] = None
    stream_usage: Annotated[bool, Says("ask for the token counts of streams, which some endpoints do not know")] = True
    authorities: Annotated[
        File | None, Says("a PEM file of certificate authorities in place of the system's; part of the release")
    ] = None


class Number(enum.StrEnum):
    """The type of a tensor's elements."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT64 = "int64"
    INT32 = "int32"
    UINT8 = "uint8"
    BOOL = "bool"


class Tensor(Declared, frozen=True, kw_only=True):
    """One input of a model file."""

    name: Annotated[Value, Says("the input's name in the model")]
    pointer: Annotated[Pointer, Says("where in the record its values stand: a number, or lists of them")] = ""
    dtype: Annotated[Number, Says("the type of its elements")] = Number.FLOAT32
    shape: Annotated[
        tuple[Annotated[int, Asked(least=-1, most=1_000_000)], ...],
        Says("its shape, such as [1, 64]; one -1 stands for whatever is left. Without it, as the record has it"),
    ] = ()


class OnnxModel(Declared, frozen=True, kw_only=True):
    """A model file that ONNX Runtime runs in this process; needs the extra ``onnx``."""

    model: Annotated[File, Says("the model file, relative to the manifest; part of the release")]
    inputs: Annotated[tuple[Tensor, ...], Says("how each of the model's inputs is made from the record")]
    output: Annotated[Value, Says("which of its outputs is the answer, by name; without it, the first")] = ""
    labels: Annotated[
        tuple[Value, ...], Says("what each place of the output means; the answer is then the label of the highest")
    ] = ()
    softmax: Annotated[
        bool,
        Says("the output holds logits: the confidence is the highest of their softmax; else, of the output itself"),
    ] = False


Endpoint = HttpService | ChatEndpoint | OnnxModel


def files_of(endpoint: Endpoint) -> tuple[str, ...]:
    """Every file that an endpoint's answers depend on; those that hold secrets are not among them."""
    match endpoint:
        case HttpService():
            found = (*(endpoint.request.files if endpoint.request else ()), endpoint.authorities)
        case ChatEndpoint():
            made = [t for t in (endpoint.messages, endpoint.settings) if t is not None]
            found = (*(file for template in made for file in template.files), endpoint.schema, endpoint.authorities)
        case OnnxModel():
            found = (endpoint.model,)
    return tuple(dict.fromkeys(file for file in found if file))


def service_of(url: str) -> str:
    """The service that a URL is answered by.

    >>> service_of("https://models.example.org/read"), service_of("http://[::1]:8000/v1")
    ('models.example.org:443', '[::1]:8000')
    """
    scheme, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].lower()
    return host if re.search(r":\d+$", host) else f"{host}:{443 if scheme == 'https' else 80}"


__all__ = [
    "OWN_FIELDS",
    "Certainty",
    "ChatEndpoint",
    "Endpoint",
    "Form",
    "Header",
    "HttpService",
    "Mapping",
    "Number",
    "OnnxModel",
    "Secret",
    "Tensor",
    "files_of",
    "service_of",
]
