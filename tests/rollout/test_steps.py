"""Releases kept, promoted, run beside each other, gone back to: on a real ledger, with real signatures."""

from __future__ import annotations

import subprocess

import msgspec
import pytest

from plimsoll.errors import InputError, NotReady
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.control import Action, Control
from plimsoll.policy import Beside, Obeyed, is_in_share, obey
from plimsoll.rollout import end_beside, history, keep_release, listing, roll_back, run_beside, steered
from plimsoll.rollout.kept import kept_manifest, kept_releases, read_kept

A, B, C = (f"sha256:{digit * 64}" for digit in "abc")


def control(action, release="", **more) -> Control:
    return Control(action=action, by="ops", reason="why", release=release, **more)


def folded(*controls: Control) -> Obeyed:
    state = Obeyed()
    for each in controls:
        state = obey(state, each)
    return state


class TestTheFold:
    def test_what_was_live_before_is_gone_back_to(self):
        state = folded(control(Action.PROMOTE, A), control(Action.PROMOTE, B), control(Action.PROMOTE, C))
        assert (state.live, state.before) == (C, (A, B))
        state = obey(state, control(Action.ROLLBACK, B))
        assert (state.live, state.before) == (B, (A,))
        state = obey(state, control(Action.ROLLBACK, A))
        assert (state.live, state.before) == (A, ())

    def test_a_rollback_ends_whatever_runs_beside(self):
        state = folded(
            control(Action.PROMOTE, A),
            control(Action.PROMOTE, B),
            control(Action.CANARY, C, share=0.05, alpha=0.05),
            control(Action.SHADOW, C, share=0.5),
            control(Action.ROLLBACK, A),
        )
        assert (state.live, state.canary, state.shadow) == (A, None, None)

    def test_a_canary_that_is_promoted_runs_beside_no_more(self):
        state = folded(control(Action.PROMOTE, A), control(Action.CANARY, B, share=0.1, alpha=0.01))
        assert state.canary == Beside(release=B, share=0.1, alpha=0.01)
        assert state.releases == {A, B}
        assert obey(state, control(Action.PROMOTE, B)) == Obeyed(live=B, before=(A,))

    def test_ending_one_leaves_the_other(self):
        state = folded(
            control(Action.PROMOTE, A),
            control(Action.CANARY, B, share=0.1, alpha=0.01),
            control(Action.SHADOW, C, share=1.0),
            control(Action.END, B),
        )
        assert (state.canary, state.shadow) == (None, Beside(release=C, share=1.0))

    def test_stops_and_releases_do_not_touch_each_other(self):
        state = folded(control(Action.STOP), control(Action.PROMOTE, A), control(Action.ROLLBACK, B))
        assert state.stop_reason("anything")
        assert obey(state, control(Action.RESUME)).live == B


def test_a_share_is_drawn_by_key_grows_with_itself_and_differs_between_releases():
    keys = [f"claim-{n}" for n in range(4000)]
    small = {k for k in keys if is_in_share(k, A, 0.05)}
    large = {k for k in keys if is_in_share(k, A, 0.2)}
    other = {k for k in keys if is_in_share(k, B, 0.05)}
    assert small < large
    assert 140 < len(small) < 265
    assert len(small & other) < len(small) / 3
    assert not any(is_in_share(k, A, 0.0) for k in keys)
    assert all(is_in_share(k, A, 1.0) for k in keys)


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


def _put(ledger, *controls: Control) -> None:
    for each in controls:
        ledger.append(Draft(kind="control", system="s", body=msgspec.json.encode(each)))


class TestSteps:
    def test_back_to_the_last_one_and_to_a_named_one(self, ledger):
        _put(ledger, control(Action.PROMOTE, A), control(Action.PROMOTE, B), control(Action.PROMOTE, C))
        _, release = roll_back(ledger, "s", by="ops", reason="worse")
        assert release == B
        assert steered(ledger, "s").live == B
        with pytest.raises(InputError, match="was not live before"):
            roll_back(ledger, "s", to=C, by="ops", reason="worse")
        assert roll_back(ledger, "s", to=A, by="ops", reason="worse")[1] == A

    def test_with_nothing_before_the_answer_is_no_and_says_what_helps(self, ledger):
        with pytest.raises(NotReady) as caught:
            roll_back(ledger, "s", by="ops", reason="worse")
        assert "control stop" in caught.value.problems[0].fix

    @pytest.mark.parametrize(
        ("share", "action"), [(0.0, Action.CANARY), (0.51, Action.CANARY), (1.01, Action.SHADOW), (-1, Action.SHADOW)]
    )
    def test_a_share_out_of_range_is_refused(self, ledger, share, action):
        with pytest.raises(InputError, match="share"):
            run_beside(ledger, "s", A, share=share, action=action, by="ops", reason="try")

    def test_what_is_live_does_not_run_beside_itself(self, ledger):
        _put(ledger, control(Action.PROMOTE, A))
        with pytest.raises(NotReady, match="is live"):
            run_beside(ledger, "s", A, share=0.1, action=Action.CANARY, by="ops", reason="try")

    def test_only_what_runs_can_be_ended(self, ledger):
        with pytest.raises(NotReady, match="does not run"):
            end_beside(ledger, "s", A, by="ops", reason="no")

    def test_a_step_without_a_reason_is_refused(self, ledger):
        _put(ledger, control(Action.PROMOTE, A), control(Action.PROMOTE, B))
        with pytest.raises(InputError, match="reason"):
            roll_back(ledger, "s", by="ops", reason=" ")

    def test_everything_that_was_done_stays_on_record(self, ledger):
        _put(ledger, control(Action.PROMOTE, A), control(Action.STOP), control(Action.CANARY, B, share=0.1))
        assert [(s.action, s.release) for s in history(ledger, "s")] == [("promote", A), ("canary", B)]
        lines = {line.release: line for line in listing(ledger, "s", (B,))}
        assert (lines[A].state, lines[A].kept, lines[B].state, lines[B].share) == ("live", False, "canary", 0.1)


class TestKeeping:
    def test_a_kept_release_is_the_same_release_wherever_it_lies(self, tmp_path):
        from cli.tiny_system import TinySystem  # noqa: PLC0415

        from plimsoll.assembly.project import Project  # noqa: PLC0415

        tiny = TinySystem(tmp_path / "here")
        project = Project(tiny.manifest)
        kept = keep_release(project.release, project.file, tmp_path / "kept", by="me")
        copy = Project(kept_manifest(tmp_path / "kept", kept.release))
        assert copy.release.digest == project.release.digest
        assert kept_releases(tmp_path / "kept") == (project.release.digest,)
        tiny.change("parity.py", '"odd"', '"ODD"')
        assert Project(tiny.manifest).release.digest != copy.release.digest
        assert Project(copy.file).release.digest == kept.release, "the copy does not change with the original"

    def test_the_commit_of_its_source_is_noted(self, tmp_path):
        from cli.tiny_system import TinySystem  # noqa: PLC0415

        from plimsoll.assembly.project import Project  # noqa: PLC0415

        tiny = TinySystem(tmp_path / "here")
        git = ["git", "-C", str(tiny.folder), "-c", "user.name=n", "-c", "user.email=e@example.org"]
        for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
            subprocess.run([*git, *arguments], check=True, capture_output=True)
        project = Project(tiny.manifest)
        kept = keep_release(project.release, project.file, tmp_path / "kept")
        assert len(kept.commit) == 40
        assert not kept.changed
        assert keep_release(project.release, project.file, tmp_path / "kept", by="again") == kept

    def test_what_is_no_digest_or_not_kept_is_said(self, tmp_path):
        with pytest.raises(InputError, match="not the digest"):
            read_kept(tmp_path, "../../etc")
        with pytest.raises(InputError, match="not kept"):
            read_kept(tmp_path, A)
