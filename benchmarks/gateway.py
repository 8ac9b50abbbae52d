"""What the server adds in front of a chat model that answers at once; its memory over many decisions; and in the same
run how fast a rollback is in force (`rollback.py`), and whether callers hear in time whatever fails (`faults.py`).

The audit is durable before each answer; tokens, contracts, the governance page with its scanner, metrics and the tier
are on. ``wrk`` (Debian's package) is the
load generator, against the upstream itself and against the server, in alternating rounds of one run. They share the
machine's cores, as the peers' do.

    python benchmarks/gateway.py [--rounds 3] [--seconds 4] [--decisions 1000000] [--json FILE]
                                 [--litellm PROGRAM] [--portkey PROGRAM]

Two peers are measured in the same rounds where their programs are given: ``litellm`` (of ``litellm[proxy]``), without a
database, and Portkey's ``gateway`` (of ``@portkey-ai/gateway``).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import faults
import rollback

PLIMSOLL = str(Path(sys.executable).with_name("plimsoll"))
UPSTREAM = """
import sys
import uvicorn
ANSWER = (b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
          b'"message":{"role":"assistant","content":"approve"}}],'
          b'"usage":{"prompt_tokens":60,"completion_tokens":12,"total_tokens":72}}')
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="error")
"""
MANIFEST = """\
plimsoll: 1
system: desk
purpose: Answer what a customer asks.
owners:
  business:   {name: Head, contact: head@example.org}
  technical:  {name: Builder, contact: builder@example.org}
  operations: {name: Operations, contact: ops@example.org}
  leader:     {name: Chief operating officer, contact: coo@example.org}
  single:     head@example.org
target:
  openai: {url: "http://127.0.0.1:UPSTREAM/v1", model: m}
  deadline: 5 s
  concurrency: 64
decisions:
  answer: {tier: automatic, consequence: none, recoverable: true, accountable: head@example.org}
data:
  classification: public
  inputs: [chat.odcs.yaml]
load: {peak: 100/s, expected: 1000/day}
threshold:
  set_by: coo@example.org
  conditions: [stability.load >= 1x, contracts.lost_records = 0, organisation.accepted = 100%, accountability.complete = 100%]
"""
GOVERNANCE = """\
governance: 1
organisation: Example Mutual Insurance
owners:
  data:       {name: Data protection officer, contact: dpo@example.org}
  review:     {name: Head, contact: head@example.org}
  exceptions: {name: Chief risk officer, contact: cro@example.org}
destinations:
  own-machine: {hosts: [127.0.0.0/8]}
data:
  public:       {in-process: allowed, own-machine: allowed}
  internal:     {in-process: allowed, own-machine: allowed}
  confidential: {in-process: allowed, own-machine: forbidden}
  personal:     {in-process: allowed, own-machine: needs-approval}
  special:      {in-process: allowed, own-machine: forbidden}
review: {data: [special]}
undeclared: treat-as-personal
exceptions: {approvers: [cro@example.org], longest: 90 days}
"""
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: chat
name: chat
version: 1.0.0
status: active
schema:
  - name: request
    logicalType: object
    properties:
      - {name: model, logicalType: string, required: true}
      - {name: temperature, logicalType: number}
      - name: messages
        logicalType: array
        required: true
        items:
          logicalType: object
          properties:
            - {name: role, logicalType: string, required: true}
            - {name: content, logicalType: string}
"""
QUESTION = {
    "model": "desk/answer",
    "temperature": 0,
    "messages": [
        {"role": "system", "content": "Classify the claim."},
        {"role": "user", "content": "rear bumper damaged in a car park, no other party. " * 5},
    ],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--decisions", type=int, default=1_000_000, help="for the memory; 0: it is not measured")
    parser.add_argument("--litellm", metavar="PROGRAM")
    parser.add_argument("--portkey", metavar="PROGRAM")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed: `apt-get install wrk`", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        direct, ours, token, server = stack.enter_context(running(folder))
        targets = {"direct": Target(direct, {}), "ours": Target(ours, {"Authorization": f"Bearer {token}"})}
        if arguments.litellm:
            targets["litellm"] = stack.enter_context(litellm(arguments.litellm, folder, direct))
        if arguments.portkey:
            targets["portkey"] = stack.enter_context(portkey(arguments.portkey, direct))
        middle = added(targets, arguments.rounds, arguments.seconds, folder)
        figures: dict[str, Any] = {}
        for target in list(targets)[1:]:
            of = "" if target == "ours" else f"{target}_"
            for connections in (16, 1):
                share = middle[f"{target}_rate_{connections}"] / middle[f"direct_rate_{connections}"]
                more = middle[f"{target}_p50_{connections}"] - middle[f"direct_p50_{connections}"]
                figures |= {
                    f"{of}share_of_direct_{connections}": round(share, 4),
                    f"{of}added_p50_ms_{connections}": round(more, 2),
                }
        if arguments.decisions:
            figures |= memory(targets["ours"], folder, server, arguments.decisions)
    figures |= rollback.measure() | faults.measure()
    for key, value in {**{k: round(v, 2) for k, v in middle.items()}, **figures}.items():
        print(f"{key:32} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures | {k: round(v, 3) for k, v in middle.items()}, indent=2))
    return 0


class Target(NamedTuple):
    """Where a chat completion is asked for."""

    url: str
    headers: dict[str, str]


def added(targets: dict[str, Target], rounds: int, seconds: int, folder: Path) -> dict[str, float]:
    """Medians of alternating rounds: calls a second and p50 in milliseconds, of each target at 1 and 16 connections."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, target in targets.items():
            for connections in (1, 16):
                rate, p50, bad = wrk(target, connections, seconds, folder)
                assert not bad, f"{name}: {bad} calls were not answered with 200"
                found.setdefault(f"{name}_rate_{connections}", []).append(rate)
                found.setdefault(f"{name}_p50_{connections}", []).append(p50)
    return {key: statistics.median(values) for key, values in found.items()}


def memory(target: Target, folder: Path, server: int, decisions: int) -> dict[str, Any]:
    """Resident memory after the first 50,000 decisions, and at the end."""
    made, early = 0, 0.0
    while made < decisions:
        rate, _, _ = wrk(target, 16, 5, folder)
        made += int(rate * 5)
        if not early and made >= 50_000:
            early = resident(server)
    late = resident(server)
    return {"memory_mib": round(late, 1), "memory_growth": round(late / (early or late), 3), "decisions": made}


def resident(pid: int) -> float:
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]  # every process has one


def wrk(target: Target, connections: int, seconds: int, folder: Path) -> tuple[float, float, int]:
    """Calls a second, median milliseconds, and how many were not answered with 2xx."""
    script = folder / "post.lua"
    headers = {"Content-Type": "application/json", **target.headers}
    said = "".join(f"wrk.headers[{json.dumps(name)}]={json.dumps(value)}\n" for name, value in headers.items())
    script.write_text(f"wrk.method='POST'\nwrk.body=[[{json.dumps(QUESTION)}]]\n{said}")
    said = subprocess.run(
        [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--latency",
            "--timeout",
            "10s",
            "-s",
            str(script),
            target.url,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]  # wrk always says it
    number, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]  # as above
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return rate, float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit], int(bad[1]) if bad else 0


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[str, str, str, int]]:
    """An upstream and a server in front of it; their URLs, a token, and the server's process."""
    port = free_port()
    (folder / "plimsoll.yaml").write_text(MANIFEST.replace("UPSTREAM", str(port)))
    (folder / "chat.odcs.yaml").write_text(CONTRACT)
    (folder / "governance.yaml").write_text(GOVERNANCE)
    made = subprocess.run(
        [PLIMSOLL, "token", "new", "bench", "--scope", "decide", "--by", "ops@example.org"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    upstream = subprocess.Popen([sys.executable, "-c", UPSTREAM, str(port)])
    server = subprocess.Popen(
        [PLIMSOLL, "serve", "--port", "0"], cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert server.stderr is not None
        listens = re.search(r"http://127\.0\.0\.1:(\d+)", server.stderr.readline())
        assert listens is not None, "the server did not start"
        time.sleep(2)
        yield (
            f"http://127.0.0.1:{port}/v1/chat/completions",
            f"http://127.0.0.1:{listens[1]}/v1/chat/completions",
            made.stdout.strip(),
            server.pid,
        )
    finally:
        for process in (server, upstream):
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextlib.contextmanager
def litellm(program: str, folder: Path, upstream: str) -> Iterator[Target]:
    """LiteLLM's proxy in its fastest state: no database, so neither keys nor a log of spending; one worker."""
    config = folder / "litellm.yaml"
    config.write_text(
        f"model_list:\n- model_name: {QUESTION['model']}\n  litellm_params:\n    model: openai/m\n"
        f"    api_base: {upstream.removesuffix('/chat/completions')}\n    api_key: none\n"
        "litellm_settings: {callbacks: [], num_retries: 0, telemetry: false, turn_off_message_logging: true}\n"
    )
    port = free_port()
    settings = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    with peer(command, {**settings, "LITELLM_MASTER_KEY": "sk-bench", "NO_DOCS": "True"}, port):
        yield Target(f"http://127.0.0.1:{port}/v1/chat/completions", {"Authorization": "Bearer sk-bench"})


@contextlib.contextmanager
def portkey(program: str, upstream: str) -> Iterator[Target]:
    """Portkey's open-source gateway."""
    port = free_port()
    with peer(["node", str(Path(program).resolve()), f"--port={port}", "--headless"], {}, port):
        headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": upstream.removesuffix("/chat/completions")}
        yield Target(f"http://127.0.0.1:{port}/v1/chat/completions", {"Authorization": "Bearer x", **headers})


@contextlib.contextmanager
def peer(command: list[str], settings: dict[str, str], port: int) -> Iterator[None]:
    """A peer's processes, from when they listen."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env={**os.environ, **settings}, start_new_session=True, **quiet)  # type: ignore[call-overload]  # two of its keywords
    try:
        for _ in range(600):
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        time.sleep(2)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def free_port() -> int:
    """One that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main())
