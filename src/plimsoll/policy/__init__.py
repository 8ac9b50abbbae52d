"""What may be decided by whom, which data may go where, and what the guards obey now: functions of values."""

from plimsoll.policy.control import Beside, Obeyed, is_in_share, obey
from plimsoll.policy.egress import Admitted, Gatekeeper, TextRuling
from plimsoll.policy.passing import Passing
from plimsoll.policy.permission import who_may_resume
from plimsoll.policy.sources import SourcesRuling, SourcesVerdict, rule_on_sources
from plimsoll.policy.tier import why_held

__all__ = [
    "Admitted",
    "Beside",
    "Gatekeeper",
    "Obeyed",
    "Passing",
    "SourcesRuling",
    "SourcesVerdict",
    "TextRuling",
    "is_in_share",
    "obey",
    "rule_on_sources",
    "who_may_resume",
    "why_held",
]
