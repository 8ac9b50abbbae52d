"""The append-only, tamper-evident record of everything that happened."""

from plimsoll.ledger.checkpoint import Checkpoint, Signer, TrustedKey, Verifier
from plimsoll.ledger.entry import FORMAT, Draft, Entry, Header, parse_id
from plimsoll.ledger.findings import Finding, VerifyReport
from plimsoll.ledger.follow import Follower
from plimsoll.ledger.held import held_since
from plimsoll.ledger.keys import Erased
from plimsoll.ledger.ledger import Ledger
from plimsoll.ledger.projection import Projection, Table, View
from plimsoll.ledger.proof import ProofReport, check_proof, make_proof
from plimsoll.ledger.reservation import Op, Release, Replace, Reservation, Reserve, Taken
from plimsoll.ledger.settings import LedgerSettings
from plimsoll.ledger.verify import verify_ledger
from plimsoll.ledger.view_check import check_view
from plimsoll.ledger.vouchers import OtherLog, other_logs
from plimsoll.ledger.witness import FileWitness, Witness

__all__ = [
    "FORMAT",
    "Checkpoint",
    "Draft",
    "Entry",
    "Erased",
    "FileWitness",
    "Finding",
    "Follower",
    "Header",
    "Ledger",
    "LedgerSettings",
    "Op",
    "OtherLog",
    "Projection",
    "ProofReport",
    "Release",
    "Replace",
    "Reservation",
    "Reserve",
    "Signer",
    "Table",
    "Taken",
    "TrustedKey",
    "Verifier",
    "VerifyReport",
    "View",
    "Witness",
    "check_proof",
    "check_view",
    "held_since",
    "make_proof",
    "other_logs",
    "parse_id",
    "verify_ledger",
]
