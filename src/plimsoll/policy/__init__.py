"""What may be decided by whom, and what the guards obey now: functions of values."""

from plimsoll.policy.control import Beside, Obeyed, is_in_share, obey
from plimsoll.policy.permission import who_may_resume
from plimsoll.policy.tier import why_held

__all__ = ["Beside", "Obeyed", "is_in_share", "obey", "who_may_resume", "why_held"]
