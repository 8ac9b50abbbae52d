"""Around every decision: admit, call, tier, record, answer."""

from plimsoll.guard.guard import Guard, GuardedType, GuardSettings
from plimsoll.guard.target import PythonTarget, load_python_target

__all__ = ["Guard", "GuardSettings", "GuardedType", "PythonTarget", "load_python_target"]
