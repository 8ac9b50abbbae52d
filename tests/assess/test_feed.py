"""A feed on disk: which files are read, for which decision type, and in which order they are sent."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.assess.feed import Feed, FeedFile, Sent
from plimsoll.errors import InputError

ONE, TWO = ("tell",), ("tell", "guess")


def write(folder: Path, **files: bytes) -> Path:
    """``a`` is the file a.jsonl; ``tell__a`` is tell/a.jsonl."""
    folder.mkdir(exist_ok=True)
    for name, raw in files.items():
        path = folder / f"{name.replace('__', '/')}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(raw)
    return folder


class TestOfOneType:
    def test_each_file_is_a_source_and_each_line_that_is_not_blank_a_record(self, tmp_path):
        feed = Feed.open(write(tmp_path / "f", b=b"1\n\n \t\n2", a=b"\r\n3\r\n"), ONE)
        assert list(feed.lines()) == [
            Sent("tell", "a", 2, b"3"),
            Sent("tell", "b", 1, b"1"),
            Sent("tell", "b", 4, b"2"),
        ]
        assert [feed.name(file) for file in feed.files] == ["a", "b"]
        assert not feed.missing

    def test_only_the_line_break_is_taken_off(self, tmp_path):
        feed = Feed.open(write(tmp_path / "f", a=b"x\r\r\n y \n"), ONE)
        assert [sent.record for sent in feed.lines()] == [b"x\r", b" y "]

    @pytest.mark.parametrize("blank", [b"\x0b", b"\x0c", b"\x00", b"\xc2\xa0"])
    def test_what_json_does_not_take_for_blank_is_a_record(self, tmp_path, blank):
        assert len(list(Feed.open(write(tmp_path / "f", a=blank), ONE).lines())) == 1

    @pytest.mark.parametrize("types", [ONE, TWO])
    def test_a_folder_that_is_none_or_holds_no_record_is_said(self, tmp_path, types):
        with pytest.raises(InputError, match="there is no folder"):
            Feed.open(tmp_path / "nowhere", types)
        (tmp_path / "f").mkdir()
        with pytest.raises(InputError, match="holds no JSON Lines file"):
            Feed.open(tmp_path / "f", types)
        place = "a" if types is ONE else "tell__a"
        with pytest.raises(InputError, match="holds no record"):
            Feed.open(write(tmp_path / "f", **{place: b"\n \t\r\n"}), types)


class TestOfSeveralTypes:
    def test_each_type_has_a_folder_and_a_source_may_send_both(self, tmp_path):
        feed = Feed.open(write(tmp_path / "f", tell__a=b"1\n", tell__b=b"2\n", guess__a=b"3\n"), TWO)
        assert [(s.type, s.source, s.record) for s in feed.lines()] == [
            ("tell", "a", b"1"),
            ("tell", "b", b"2"),
            ("guess", "a", b"3"),
        ]
        assert [feed.name(file) for file in feed.files] == ["tell/a", "tell/b", "guess/a"]

    @pytest.mark.parametrize("nothing", [{}, {"guess__a": b"\n\n"}])
    def test_a_type_without_a_record_is_named(self, tmp_path, nothing):
        assert Feed.open(write(tmp_path / "f", tell__a=b"1\n", **nothing), TWO).missing == ("guess",)

    def test_a_file_that_belongs_to_no_type_is_refused_and_not_passed_over(self, tmp_path):
        with pytest.raises(InputError, match=r"'.*loose\.jsonl' lies directly in the feed") as caught:
            Feed.open(write(tmp_path / "f", tell__a=b"1\n", loose=b"2\n"), TWO)
        assert caught.value.fix.endswith(f"{tmp_path / 'f' / 'tell' / 'loose.jsonl'}'")

    def test_a_folder_of_no_type_is_refused_with_the_nearest_name(self, tmp_path):
        with pytest.raises(InputError, match="'gues' is no decision type that the AI may answer") as caught:
            Feed.open(write(tmp_path / "f", tell__a=b"1\n", gues__a=b"2\n"), TWO)
        assert caught.value.fix == "did you mean 'guess'?"


def feed_of(tmp_path: Path, sizes: dict[str, dict[str, int]]) -> Feed:
    """Records that name their place."""
    files = {
        f"{kind}__{source}": b"".join(b'"%s/%s/%d"\n' % (kind.encode(), source.encode(), n) for n in range(size))
        for kind, sources in sizes.items()
        for source, size in sources.items()
    }
    return Feed.open(write(tmp_path / "f", **files), tuple(sizes))


class TestMixed:
    def test_types_and_sources_come_in_proportion_to_their_records(self, tmp_path):
        feed = feed_of(tmp_path, {"tell": {"a": 600, "b": 200}, "guess": {"a": 200}})
        sent = feed.mixed(window=300, most=20_000)
        assert Counter((s.type, s.source) for s in sent) == {
            ("tell", "a"): 600,
            ("tell", "b"): 200,
            ("guess", "a"): 200,
        }
        for begin in range(0, 1000, 100):
            counts = Counter(s.type for s in sent[begin : begin + 100])
            assert counts["guess"] == pytest.approx(20, abs=1)

    def test_each_sources_own_order_is_kept(self, tmp_path):
        sent = feed_of(tmp_path, {"tell": {"a": 60, "b": 20}, "guess": {"a": 7}}).mixed(window=300, most=20_000)
        for kind, source in (("tell", "a"), ("tell", "b"), ("guess", "a")):
            numbers = [s.line for s in sent if (s.type, s.source) == (kind, source)]
            assert numbers == sorted(numbers)

    def test_a_rare_type_comes_up_in_every_window(self, tmp_path):
        """One record in 5,001 would be in none of nine windows of 300 calls."""
        sent = feed_of(tmp_path, {"tell": {"a": 5000}, "guess": {"a": 1}}).mixed(window=300, most=20_000)
        over_again = [s.type for s in sent] * 2
        for begin in range(len(sent)):
            assert "guess" in over_again[begin : begin + 300]
        assert Counter(s.type for s in sent)["tell"] == 5000

    def test_a_large_feed_is_cut_in_proportion(self, tmp_path):
        sent = feed_of(tmp_path, {"tell": {"a": 3000}, "guess": {"a": 1000}}).mixed(window=300, most=400)
        assert Counter(s.type for s in sent) == {"tell": 300, "guess": 100}

    @given(
        sizes=st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=4), min_size=1, max_size=4),
        window=st.integers(1, 50),
    )
    def test_nothing_is_left_out_whatever_the_sizes(self, sizes, window):
        records = {
            (str(kind), str(source)): size
            for kind, sources in enumerate(sizes)
            for source, size in enumerate(sources)
        }  # fmt: skip
        feed = InMemory.of(records)
        if not any(records.values()):
            return
        sent = feed.mixed(window=window, most=10**6)
        lines = {(s.type, s.source, s.line) for s in sent}
        assert lines == {(*name, line) for name, size in records.items() for line in range(size)}


class InMemory(FeedFile, frozen=True, kw_only=True):
    """A file that need not be written."""

    size: int

    def lines(self):
        return iter(Sent(self.type, self.source, line, b"1") for line in range(self.size))

    @classmethod
    def of(cls, records: dict[tuple[str, str], int]) -> Feed:
        files = tuple(cls(type=t, source=s, path=Path(), size=size) for (t, s), size in records.items())
        return Feed(folder=Path(), files=files, missing=(), by_type=True)
