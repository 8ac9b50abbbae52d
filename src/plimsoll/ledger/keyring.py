"""The tables of keys: subjects and streams, in the same store and the same transactions as what they seal."""

from __future__ import annotations

from collections import OrderedDict

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plimsoll.ledger.entry import Entry
from plimsoll.ledger.keys import Erased, SubjectKey, new_secret, sealer, subject_number, unseal
from plimsoll.ledger.read import Reader
from plimsoll.ledger.write import StoreWriter


class KeyRing:
    """Keys for writing, the most recently used ones in memory. Used inside a transaction only."""

    def __init__(self, store: StoreWriter, most: int) -> None:
        self._store = store
        self._most = most
        self._known: OrderedDict[str, tuple[str, bytes]] = OrderedDict()  # name: pseudonym, key
        self._boxes: OrderedDict[tuple[str, str], AESGCM] = OrderedDict()  # pseudonym (or ""), stream

    def forget(self) -> None:
        """Drop all from memory: an erasure, or a transaction that was taken back, has made some of them void."""
        self._known.clear()
        self._boxes.clear()

    def know(self, subjects: dict[str, SubjectKey]) -> None:
        """These are the subjects of what is written next, as they stand in the store now; others are looked up."""
        self._known.clear()
        self._known.update({name: (subject.pseudonym, subject.key) for name, subject in subjects.items()})

    def pseudonym(self, name: str) -> str:
        """What stands for a subject; a subject seen for the first time gets its keys now."""
        return self._subject(name)[0]

    def _subject(self, name: str) -> tuple[str, bytes]:
        known = self._known.get(name)
        if known is None:
            subject = self._find(name) or self._add(name)
            known = self._known[name] = (subject.pseudonym, subject.key)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(name)
        return known

    def _find(self, name: str) -> SubjectKey | None:
        row = self._store.subject(name)
        return None if row is None else SubjectKey(number=row[0], name=name, salt=row[1], key=row[2])

    def _add(self, name: str) -> SubjectKey:
        salt, key = new_secret(), new_secret()
        return SubjectKey(number=self._store.add_subject(name, salt, key), name=name, salt=salt, key=key)

    def box(self, name: str | None, stream: str, number: int) -> AESGCM:
        """What seals for a subject, or, without one, under the stream's own key."""
        pseudonym, key = self._subject(name) if name is not None else ("", b"")
        box = self._boxes.get((pseudonym, stream))
        if box is None:
            box = self._boxes[pseudonym, stream] = sealer(key or self._stream_key(number), stream)
            if len(self._boxes) > self._most:
                self._boxes.popitem(last=False)
        return box

    def _stream_key(self, number: int) -> bytes:
        rows = self._store.rows("SELECT key FROM stream_keys WHERE stream=?", number)
        if rows:
            return bytes(rows[0][0])
        key = new_secret()
        self._store.run("INSERT INTO stream_keys VALUES (?,?)", number, key)
        return key

    def destroy(self, name: str, now_ns: int) -> str | None:
        """Overwrite all that is kept of a subject; its pseudonym, or None when there is no such subject."""
        subject = self._find(name)
        if subject is None:
            return None
        sql = "UPDATE subjects SET name=NULL,salt=NULL,key=NULL,erased_ns=? WHERE number=? AND key IS NOT NULL"
        done = self._store.rows(f"{sql} RETURNING number", now_ns, subject.number)
        self.forget()
        return subject.pseudonym if done else None  # None: somebody else has done it at the same moment


def open_body(reader: Reader, entry: Entry) -> bytes:
    """The body as it was given to us.

    Nothing is kept in memory between calls, so that a key that was destroyed a moment ago, by any process, opens
    nothing any more.

    Raises:
        Erased: the subject's key was destroyed.
        VerificationFailed: key or body was altered.
    """
    return entry.body if not entry.sealed else opened(entry, body_key(reader, entry))


def opened(entry: Entry, key: bytes | None) -> bytes:
    """A sealed body, opened with what `body_key` gave. Raises as `open_body` does."""
    if key is None:
        raise Erased(entry.id)
    return unseal(sealer(key, entry.stream), entry.seq, entry.body, entry.id)


def body_key(reader: Reader, entry: Entry) -> bytes | None:
    """The key of the subject, or of the stream, that a sealed body is under; None when it was destroyed."""
    if entry.subject:
        row = reader.row("SELECT key FROM subjects WHERE number=?", subject_number(entry.subject))
    else:
        row = reader.row("SELECT key FROM stream_keys WHERE stream=?", reader.number_of(entry.stream) or 0)
    return None if row is None else row[0]


class Bodies:
    """Opened bodies for one step of some work: a key is looked up, and made ready, once in it.

    Not to be kept: a key that is destroyed meanwhile would go on opening.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._boxes: dict[tuple[str, str], AESGCM | None] = {}

    def of(self, entry: Entry) -> bytes | None:
        """The body as it was given; None when it was erased. Raises VerificationFailed when it was altered."""
        if not entry.sealed:
            return entry.body
        under = (entry.subject, entry.stream)
        if under not in self._boxes:
            key = body_key(self._reader, entry)
            self._boxes[under] = None if key is None else sealer(key, entry.stream)
        box = self._boxes[under]
        return None if box is None else unseal(box, entry.seq, entry.body, entry.id)


def subject_name(reader: Reader, entry: Entry) -> str | None:
    """Who a pseudonym stands for; None when the entry has none or the subject was erased."""
    if not entry.subject:
        return None
    number = subject_number(entry.subject)
    row = reader.row("SELECT name,salt,key FROM subjects WHERE number=?", number)
    if row is None or row[0] is None:
        return None
    subject = SubjectKey(number=number, name=reader.given(row[0]), salt=row[1], key=row[2])
    return subject.name if subject.pseudonym == entry.subject else None
