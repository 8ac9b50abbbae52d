"""The first ten minutes with one's own function: every step that `plimsoll init` prints works."""

from __future__ import annotations

import re
import shlex

from cli.tiny_system import TARGET, lines, plimsoll


def test_from_a_function_and_a_sample_to_what_is_missing(tmp_path):
    folder = tmp_path / "number-desk"
    folder.mkdir()
    (folder / "parity.py").write_text(TARGET)
    (folder / "records.jsonl").write_text(lines({"number": n} for n in range(150)))

    started = plimsoll("init", "parity:predict", "--sample", "records.jsonl", cwd=folder)
    assert started.code == 0, started
    steps = re.findall(r"^  \d\. (.*(?:\n {5}.*)*)", started.stdout, re.MULTILINE)
    assert len(steps) == 3, started
    manifest = folder / "plimsoll.yaml"

    # As it is, it can be checked, and says what is missing.
    early = plimsoll("check", "--only", "contracts", "--only", "accountability", cwd=folder)
    assert early.code == 3, early
    assert "samples.golden" in early.stdout
    assert "placeholder" in early.stdout

    # 1. name real people
    assert "plimsoll.yaml" in steps[0]
    assert "@fill-in.invalid" in steps[0]
    text = manifest.read_text().replace("@fill-in.invalid", "@example.org")
    text = re.sub(r'"Fill in: ([^"]+)"', r'"Somebody who \1"', text)
    # 2. cases with known answers
    assert '{"input": {…}, "expected": …}' in steps[1]
    golden = re.search(r"\S*golden\.jsonl", steps[1])[0]
    cases = ({"input": {"number": n}, "expected": {"parity": "odd" if n % 2 else "even"}} for n in range(100))
    (folder / golden).write_text(lines(cases))
    assert "# golden: golden.jsonl" in text
    text = text.replace("# golden: golden.jsonl", "golden: golden.jsonl")
    assert "peak: 10/s" in text
    assert "load_window: 5s" in text
    text = text.replace("peak: 10/s", "peak: 400/s")  # what is expected in earnest; also a quicker test
    text = text.replace("load_window: 5s", "load_window: 800ms")
    manifest.write_text(text)
    # 3. check
    command = shlex.split(steps[2])
    assert command[:2] == ["plimsoll", "check"]
    ran = plimsoll(*command[1:], cwd=folder, timeout=120)
    assert ran.code in {3, 4}, ran
    assert "organisation.accepted" in ran.stdout
    assert "DRAFT" in ran.stdout
    verdicts = plimsoll("gate", "--json", cwd=folder).data["board"]["rows"]
    standing = {row["metric"]: row["standing"] for row in verdicts}
    assert standing["contracts.valid_rate"] == "met"
    assert standing["accountability.complete"] == "met"
    assert standing["organisation.accepted"] == "not met"
    # Answers report no confidence, so every one is held: the figure says so.
    assert standing["evaluation.answered_share"] == "not met"

    again = plimsoll("init", "parity:predict", "--sample", "records.jsonl", cwd=folder)
    assert again.code == 2
    assert "is there already" in again.stderr


def test_without_a_sample_the_next_step_is_to_find_one(tmp_path):
    ran = plimsoll("init", "nowhere:predict", "--into", "new", cwd=tmp_path)
    assert ran.code == 0, ran
    assert "cannot be asked yet" in ran.stderr
    assert "put real records into new/feed" in ran.stdout
    checked = plimsoll("check", "new", cwd=tmp_path)
    assert checked.code == 2  # the target is not there
    assert "there is no module 'nowhere'" in checked.stderr
