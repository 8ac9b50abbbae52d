"""The demonstration, played to its end as `make demo` plays it where nobody watches; and that what it says is so."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from pathlib import Path
from typing import NamedTuple

import pytest
from cli.tiny_system import PLIMSOLL, environment, plimsoll

pytest.importorskip("sklearn", reason="NOT TRIED: the demonstration, since the extra 'demo' is not installed")
pytestmark = pytest.mark.alone

EXAMPLE = Path(__file__).parents[2] / "examples" / "claims_reader"
LIMIT_S = 400  # a play that hangs must not hang the suite; how long it takes is measured elsewhere


class Play(NamedTuple):
    """What was seen of it."""

    code: int
    said: str  # all of stdout
    talk: str  # all of stderr
    acts: tuple[str, ...]  # what was said in each act, in one line each; [0] is before the first
    state: Path
    mark: str  # in the environment of every process that it started


@pytest.fixture(scope="module")
def play(tmp_path_factory) -> Play:
    folder = tmp_path_factory.mktemp("demo")
    mark = f"PLIMSOLL_TEST_MARK={uuid.uuid4().hex}"
    name, value = mark.split("=")
    done = subprocess.run(
        [PLIMSOLL, "demo", "--example", EXAMPLE, "--state", folder / "state"],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        env=environment({"TERM": "dumb"}) | {name: value},
    )  # fmt: skip
    acts = tuple(" ".join(act.split()) for act in re.split(r"^\d  ", done.stdout, flags=re.MULTILINE))
    return Play(done.returncode, done.stdout, done.stderr, acts, folder / "state", mark)


def test_it_ends_well_and_without_a_traceback(play):
    assert play.code == 0, f"{play.said}\n{play.talk}"
    assert "Traceback" not in play.said + play.talk
    assert "did not end as it should" not in play.said
    assert len(play.acts) == 7
    assert "\x1b" not in play.said + play.talk, "nobody watches, so nothing is drawn"


def test_the_pilot_reads_its_own_sample_and_the_bound_says_how_little_that_is(play):
    assert "40 of 40." in play.acts[1]
    assert "at least 92.8% (95% bound)" in play.acts[1]


def test_the_pilot_is_refused_and_every_reason_has_its_figures(play):
    act = play.acts[2]
    assert re.search(r"NOT READY: \d of 9 conditions are met", act)
    reasons = re.findall(r"✕ (\S+) \S+ \S+(?: ms)? not met\s+(\S+)", act)
    assert {"evaluation.accuracy", "contracts.valid_rate", "stability.load", "organisation.accepted"} <= {
        metric for metric, _ in reasons
    }
    assert all(re.match(r"[\d.]+", figure) for _, figure in reasons)
    assert act.count("→") >= len(reasons), "each is followed by what to do"
    assert (play.state / "pilot.html").stat().st_size > 10_000


def test_the_mended_system_is_let_through_as_a_demonstration_with_its_price(play):
    act = play.acts[3]
    assert "READY AS A DEMONSTRATION: 9 of 9 conditions are met." in act
    assert "NOT READY" not in act
    assert "simulated" in act
    assert re.search(r"[\d.]+% of the cases go to people \(at most [\d.]+%\)", act)
    minutes = re.search(r"At 3,000 a day that is ([\d,]+) reviewer minutes a day .*there are ([\d,]+)\.", act)
    assert minutes
    needed, there_are = (int(figure.replace(",", "")) for figure in minutes.groups())
    assert 0 < needed <= there_are
    assert (play.state / "mended.html").stat().st_size > 10_000


def test_the_record_bears_out_what_was_said(play):
    """Judged again from its ledger, by a process that measures nothing, it is ready on the very same figures."""
    again = plimsoll("gate", EXAMPLE / "plimsoll.yaml", "--state", play.state / "mended", "--json")
    assert again.code == 0, again
    board = again.data["board"]
    assert (board["outcome"], board["demonstration"]) == ("ready", True)
    for row in board["rows"]:
        assert row["entries"], "it rests on what that run measured"
        assert row["estimate_text"] in play.acts[3]


def test_the_attestation_passes_once_and_is_refused_in_three_ways(play):
    act = play.acts[4]
    assert "passes as it is, for this release" in act
    assert "refused without --allow-simulated: this is a DEMONSTRATION" in act
    assert "refused for another release:" in act
    assert "refused with one byte altered: the signature of the attestation does not hold" in act


def test_a_deploy_step_of_our_own_comes_to_the_same(play, tmp_path):
    file = play.state / "claims-reader.attestation.json"
    trust = play.state / "mended" / "trust.demonstration.yaml"
    release = json.loads(
        plimsoll("gate", EXAMPLE / "plimsoll.yaml", "--state", play.state / "mended", "--json").stdout
    )["data"]["board"]["release"]

    def verify(path=file, subject=release, *more):
        return plimsoll("verify", path, "--subject", subject, "--trust", trust, *more).code

    assert verify(file, release, "--allow-simulated") == 0
    assert verify() == 5
    assert verify(file, "sha256:" + "1" * 64, "--allow-simulated") == 5
    altered = tmp_path / "altered.json"
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    altered.write_bytes(raw)
    assert verify(altered, release, "--allow-simulated") == 5


def test_the_regressed_model_is_refused_again(play):
    act = play.acts[5]
    assert re.search(r"evaluation\.\S+ >= \d+% +[\d.]+% not met [\d.]+ points too low", act)
    assert "none of the evidence counts for it" in act
    assert act.endswith("It stays out.")


def test_the_altered_byte_is_named_by_its_entry(play):
    act = play.acts[6]
    assert "before: 0 findings" in act
    entry = re.search(r"after: ([0-9a-f]+-\d+): is not what was recorded", act)
    assert entry
    verified = plimsoll("ledger", "verify", "--ledger", play.state / "tampered.db", "--json")
    assert verified.code == 5
    assert any(entry[1] in problem["message"] for problem in verified.problems)
    whole = plimsoll("ledger", "verify", "--manifest", EXAMPLE / "plimsoll.yaml", "--state", play.state / "mended")
    assert whole.code == 0, whole


def test_the_last_line_is_for_the_readers_own_code(play):
    assert play.said.rstrip().splitlines()[-1].strip() == "plimsoll init yours:function --sample data.jsonl"
    assert "Now your own code:" in play.said


def test_nothing_is_left_running(play):
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if play.mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                left.append((process / "cmdline").read_bytes())
        except OSError:
            continue  # it has ended, or is somebody else's
    assert left == []
