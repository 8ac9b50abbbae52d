"""What may be decided by whom, and what the guards obey now: functions of values."""

from plimsoll.policy.control import Obeyed, obey
from plimsoll.policy.permission import who_may_resume
from plimsoll.policy.tier import why_held

__all__ = ["Obeyed", "obey", "who_may_resume", "why_held"]
