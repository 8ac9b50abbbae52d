"""What the server adds in front of a chat model that answers at once; its memory over many decisions; and in the same
run how fast a rollback is in force (`rollback.py`), and whether callers hear in time whatever fails (`faults.py`).

The audit is durable before each answer; tokens, contracts, the governance page with its scanner, metrics and the tier
are on. ``wrk`` (Debian's package) is the
load generator, against the upstream itself and against the server, in alternating rounds of one run. They share the
machine's cores, as the peers did whose figures stand in the documentation.

    python benchmarks/gateway.py [--rounds 3] [--seconds 4] [--decisions 200000] [--json FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    parser.add_argument("--decisions", type=int, default=200_000, help="for the memory; 1000000 is what is claimed for")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed: `apt-get install wrk`", file=sys.stderr)
        return 2
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as (direct, ours, token, server):
        for _ in range(arguments.rounds):
            for name, url in (("direct", direct), ("ours", ours)):
                for connections in (1, 16):
                    rate, p50, bad = wrk(url, connections, arguments.seconds, token, Path(folder))
                    assert not bad, f"{name}: {bad} calls were not answered with 200"
                    found.setdefault(f"{name}_rate_{connections}", []).append(rate)
                    found.setdefault(f"{name}_p50_{connections}", []).append(p50)
        middle = {key: statistics.median(values) for key, values in found.items()}
        figures: dict[str, Any] = {
            "share_of_direct_1": round(middle["ours_rate_1"] / middle["direct_rate_1"], 3),
            "share_of_direct_16": round(middle["ours_rate_16"] / middle["direct_rate_16"], 3),
            "added_p50_ms_1": round(middle["ours_p50_1"] - middle["direct_p50_1"], 2),
            "added_p50_ms_16": round(middle["ours_p50_16"] - middle["direct_p50_16"], 2),
        }
        if arguments.decisions:
            figures |= memory(ours, token, Path(folder), server, arguments.decisions)
    figures |= rollback.measure() | faults.measure()
    for key, value in {**{k: round(v, 2) for k, v in middle.items()}, **figures}.items():
        print(f"{key:24} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures | {k: round(v, 3) for k, v in middle.items()}, indent=2))
    return 0


def memory(url: str, token: str, folder: Path, server: int, decisions: int) -> dict[str, Any]:
    """Resident memory after the first 50,000 decisions, and at the end."""
    made, early = 0, 0.0
    while made < decisions:
        rate, _, _ = wrk(url, 16, 5, token, folder)
        made += int(rate * 5)
        if not early and made >= 50_000:
            early = resident(server)
    late = resident(server)
    return {"memory_mib": round(late, 1), "memory_growth": round(late / (early or late), 3), "decisions": made}


def resident(pid: int) -> float:
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]  # every process has one


def wrk(url: str, connections: int, seconds: int, token: str, folder: Path) -> tuple[float, float, int]:
    """Calls a second, median milliseconds, and how many were not answered with 2xx."""
    script = folder / "post.lua"
    script.write_text(
        f"wrk.method='POST'\nwrk.body=[[{json.dumps(QUESTION)}]]\n"
        f"wrk.headers['Content-Type']='application/json'\nwrk.headers['Authorization']='Bearer {token}'\n"
    )
    said = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url],
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


def free_port() -> int:
    """One that is free now."""
    import socket  # noqa: PLC0415 - one use

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main())
