"""The manifest that `plimsoll init` begins with, and what in a manifest is still as it began.

Owners and purpose cannot be guessed, and "TBD" is refused. What is written in their place loads, and can never pass for
an answer: contacts end in ``@fill-in.invalid`` (``.invalid`` is reserved and reaches nobody, RFC 2606 section 2), names
and the purpose begin with ``Fill in:``. Whoever judges accountability asks `placeholders`; whoever reports what is
left to do asks `unfilled`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from plimsoll.model.declared import Declared
from plimsoll.model.manifest import Manifest
from plimsoll.model.manifest_values import slug_of
from plimsoll.model.threshold import Threshold
from plimsoll.model.yaml_source import resolve

__all__ = ["FILL_IN", "FILL_IN_DOMAIN", "placeholders", "slug_of", "starting_manifest", "unfilled"]

FILL_IN_DOMAIN: Final = "fill-in.invalid"
FILL_IN: Final = "Fill in:"

_SAFE: Final = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./:@+-]*[A-Za-z0-9_./]|[A-Za-z0-9_]")  # needs no quotes in YAML

_START: Final = """\
# What this system is, who stands for it, and what must be true before it goes live.
# Replace everything that says "fill in": until then nobody is accountable, and the gate stays closed.
plimsoll: 1
system: {system}
purpose: "Fill in: what it is for, in one sentence"

owners:                        # persons or teams; members: [...] lists the people of a team
  business:   {{name: "Fill in: answers for what it is for", contact: business@fill-in.invalid}}
  technical:  {{name: "Fill in: answers for how it works",   contact: technical@fill-in.invalid}}
  operations: {{name: "Fill in: keeps it alive",             contact: operations@fill-in.invalid}}
  leader:     {{name: "Fill in: answers for the outcome",    contact: leader@fill-in.invalid}}
  single:     business@fill-in.invalid    # the one who holds both the pilot and the production decision
may:                           # contacts from above
  override: [operations@fill-in.invalid]
  retrain: [technical@fill-in.invalid]
  decommission: [business@fill-in.invalid]

target:
{target}
  fallback: [hold]             # when it fails or is late, a person takes the case

decisions:                     # every kind of decision it makes or influences
  {decision}:
    tier: reviewed             # automatic | reviewed | human-only
    review_below: 90%          # answers with less confidence wait for a person; without this line, all do
    consequence: customer      # none | operational | financial | legal | health | customer
    recoverable: false         # true: a wrong decision can be taken back without harm
    accountable: business@fill-in.invalid
    escalation: [operations@fill-in.invalid, leader@fill-in.invalid]
    appeal: appeals@fill-in.invalid       # where a person affected can object
    review_of_this_entry: every 90 days

data:
  classification: personal     # public | internal | confidential | personal | special
  {inputs}
{governance}{samples}

load: {{peak: 10/s, expected: 1000/day}}    # a guess: write what is expected in earnest
review: {{per_item: 1 min, capacity: 4 h}}  # time for one held decision; reviewers' time there is in a day

threshold:                     # the line; it counts once the leader has signed it
  set_by: leader@fill-in.invalid
  consulted: [technical@fill-in.invalid, operations@fill-in.invalid]
  load_window: 5s              # how long each load window lasts at least; longer shows what builds up slowly
  conditions:
    - stability.load >= 3x                # technical: at three times the peak
    - stability.latency_p99 <= 500ms
    - stability.error_rate <= 1%
    - evaluation.accuracy >= 95%          # of the answers given without a person
    - evaluation.answered_share >= 50%
    - contracts.valid_rate >= 95%         # data
    - contracts.lost_records = 0
    - organisation.accepted = 100%        # organisational: owners and operators have accepted the release
    - accountability.complete = 100%      # governance: every decision type has its people and its audit trail
"""

_PYTHON: Final = """\
  python: {callable}
  # path: [src]                # folders to import from, beside this file's own
  # artifacts: [model.bin]     # files it reads: weights, prompts, tables; part of the release
  # environment: [MODEL_NAME]  # variables that decide how it answers, by name; part of the release
  # services: [api.example.org:443]    # what it reaches over the network
  deadline: 1s                 # what a caller waits at most"""

_HTTP: Final = """\
  identity: "Fill in: what the service says of its version"    # another one is another release
  http:
    url: {url}
    # headers: {{authorization: {{env: MY_TOKEN, prefix: "Bearer "}}}}    # a secret is named, never written here
    # request: {{text: {{pointer: /text}}}}    # what is sent, made from the record; without it, the record itself
    # response: {{output: /output, confidence: /confidence}}    # where the answer stands; without it, the whole reply
  deadline: 5s                 # what a caller waits at most"""

_CHAT: Final = """\
  # identity: {model}          # the model that replies must name; another one is no answer
  openai:
    url: {url}
    model: {model}
{key}
    messages:                  # made from the record; without them, the record is a chat request itself
      - {{role: user, content: {{as_text: "{{}}"}}}}    # {{}} is the whole record, {{/text}} a field of it
    settings: {{temperature: 0}}
    # schema: answer.schema.json    # the answer is then JSON of this form
    # confidence: joint        # made of the tokens' log probabilities
  deadline: 30s                # what a caller waits at most"""

_KEY: Final = "    key: {env: OPENAI_API_KEY}    # a secret is named, never written here"
OPENAI_URL: Final = "https://api.openai.com/v1"

_GOVERNANCE: Final = """\
# governance: governance.yaml  # which data may go to the service; without that page, only public data does
"""

_SAMPLES: Final = """\
samples:                       # what the assessments measure with: real input, not made up
  feed: {feed}
  # golden: golden.jsonl       # cases with known answers, one JSON object a line"""

_NO_SAMPLES: Final = """\
# samples:                     # what the assessments measure with: real input, not made up
#   feed: feed                 # a folder with one JSON Lines file for each source
#   golden: golden.jsonl       # cases with known answers, one JSON object a line"""


def starting_manifest(target: str, sample: str | None, contract: str | None, system: str) -> str:
    """A commented manifest of one page that loads without a problem.

    Args:
        target: the callable, as ``package.module:callable``; the URL of a service; or ``openai:MODEL`` or
            ``openai:MODEL@URL`` for a chat endpoint, the base URL being OpenAI's own where none is given.
        sample: folder of JSON Lines files with real input, relative to the manifest; None: there is none yet.
        contract: data contract of the input, relative to the manifest; None: there is none yet.
        system: short name of a-z, 0-9 and '-'; `slug_of` makes one.
    """
    block, named = _target_block(target)
    decision = slug_of(named) or "answer"
    return _START.format(
        system=_written(system),
        target=block,
        decision=_written(decision),
        inputs=f"inputs: [{_written(contract)}]" if contract else "# inputs: [contracts/input.odcs.yaml]",
        governance="" if block.startswith("  python:") else _GOVERNANCE,
        samples=_SAMPLES.format(feed=_written(sample)) if sample else _NO_SAMPLES,
    )


def _target_block(target: str) -> tuple[str, str]:
    """The keys of the target, and what a decision type could be called after."""
    if target.startswith(("http://", "https://")):
        path = re.split(r"[?#]", target.partition("://")[2])[0].rstrip("/")
        return _HTTP.format(url=_written(target)), path.rpartition("/")[2] if "/" in path else ""
    if target.startswith("openai:"):
        model, _, url = target.removeprefix("openai:").partition("@")
        key = f"    # {_KEY.strip()}" if url else _KEY
        return _CHAT.format(url=_written(url or OPENAI_URL), model=_written(model), key=key), ""
    return _PYTHON.format(callable=_written(target)), target.rpartition(":")[2].rpartition(".")[2]


def placeholders(manifest: Manifest) -> tuple[str, ...]:
    """The contacts that stand for nobody yet, each once, in the order of the manifest.

    Those of the starting manifest, and those of a party whose name is still to be filled in.
    """
    owners = manifest.owners
    parties = (owners.business, owners.technical, owners.operations, owners.leader)
    unnamed = [party.contact for party in parties if _is_placeholder(party.name)]
    found = [text for _, text in _texts(manifest, "") if text.endswith("@" + FILL_IN_DOMAIN)]
    return tuple(dict.fromkeys([*unnamed, *found]))


def unfilled(manifest: Manifest) -> tuple[str, ...]:
    """The keys that still hold what `plimsoll init` wrote, such as ``owners.business.contact``."""
    return tuple(dict.fromkeys(key for key, text in _texts(manifest, "") if _is_placeholder(text)))


def _is_placeholder(text: str) -> bool:
    return text.startswith(FILL_IN) or text.endswith("@" + FILL_IN_DOMAIN)


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Every text in a declared value, with its key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, tuple):
        for item in value:
            yield from _texts(item, key)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, f"{key}.{name}")
    elif isinstance(value, Declared | Threshold):
        for name, item in msgspec.structs.asdict(value).items():
            yield from _texts(item, f"{key}.{name}".lstrip("."))


def _written(text: str) -> str:
    """A text as a YAML scalar that reads back as the same text."""
    if _SAFE.fullmatch(text) and isinstance(resolve(text), str):
        return text
    return msgspec.json.encode(text).decode()
