"""What may be decided by whom, which data may go where, and what the guards obey now: functions of values."""

from plimsoll.policy.control import Obeyed, obey
from plimsoll.policy.egress import Admitted, Gatekeeper
from plimsoll.policy.sources import SourcesRuling, SourcesVerdict, rule_on_sources
from plimsoll.policy.tier import why_held

__all__ = [
    "Admitted",
    "Gatekeeper",
    "Obeyed",
    "SourcesRuling",
    "SourcesVerdict",
    "obey",
    "rule_on_sources",
    "why_held",
]
