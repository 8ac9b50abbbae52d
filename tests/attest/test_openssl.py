"""Whoever does not trust our code takes openssl: it must accept the same bytes."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from plimsoll.attest.dsse import pae
from plimsoll.attest.keys import PublicKey


def openssl(folder: Path, raw: bytes, key: PublicKey, *, message: bytes | None = None) -> bool:
    """Verify an envelope with openssl alone, its bytes taken apart with nothing of ours."""
    envelope = json.loads(raw)
    payload = base64.b64decode(envelope["payload"])
    head = f"DSSEv1 {len(envelope['payloadType'])} {envelope['payloadType']} {len(payload)} "
    (folder / "pae").write_bytes(head.encode() + payload if message is None else message)
    (folder / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    (folder / "key.pem").write_bytes(key.pem)
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-rawin",
        "-pubin",
        "-inkey",
        "key.pem",
        "-sigfile",
        "sig",
        "-in",
        "pae",
    ]
    if key.kind == "ecdsa-p256":
        command += ["-digest", "sha256"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert ("Signature Verified Successfully" in done.stdout) == (done.returncode == 0), done
    return done.returncode == 0


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa-p256"])
def test_openssl_accepts_the_attestation_and_everything_inside_it(kind: str, world, tmp_path: Path) -> None:
    world = type(world)(kind)
    raw = world.attest()
    statement = json.loads(base64.b64decode(json.loads(raw)["payload"]))

    assert openssl(tmp_path, raw, world.gate.public)
    assert not openssl(tmp_path, raw, world.stranger.public)
    for entry in statement["predicate"]["inputAttestations"]:
        signer = world.setter if entry["name"] == "threshold" else world.gate
        assert openssl(tmp_path, base64.b64decode(entry["content"]), signer.public)


def test_openssl_refuses_one_altered_byte(world, attestation: bytes, tmp_path: Path) -> None:
    envelope = json.loads(attestation)
    altered = bytearray(pae(envelope["payloadType"], base64.b64decode(envelope["payload"])))
    altered[len(altered) // 2] ^= 1

    assert not openssl(tmp_path, attestation, world.gate.public, message=bytes(altered))


def test_the_shell_commands_of_the_report_work(world, attestation: bytes, tmp_path: Path) -> None:
    """With Python's standard library in place of jq, which not every machine has."""
    (tmp_path / "claims.json").write_bytes(attestation)
    (tmp_path / "gate.pem").write_bytes(world.gate.public.pem)
    take = (
        "import json,base64,sys; e=json.load(open('claims.json')); p=base64.b64decode(e['payload']); "
        "open('sig','wb').write(base64.b64decode(e['signatures'][0]['sig'])); "
        "open('pae','wb').write(b'DSSEv1 %d %s %d ' % (len(e['payloadType']), e['payloadType'].encode(), len(p)) + p)"
    )
    script = f'python3 -I -c "{take}" && openssl pkeyutl -verify -rawin -pubin -inkey gate.pem -sigfile sig -in pae'

    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True)

    assert "Signature Verified Successfully" in done.stdout
