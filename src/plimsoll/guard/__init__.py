"""Around every decision: admit, call, tier, record, answer."""

from plimsoll.guard.guard import Guard, GuardedType, GuardSettings
from plimsoll.guard.target import Ask, PythonTarget, Target, TargetFault, load_python_target
from plimsoll.guard.targets import load_target

__all__ = [
    "Ask",
    "Guard",
    "GuardSettings",
    "GuardedType",
    "PythonTarget",
    "Target",
    "TargetFault",
    "load_python_target",
    "load_target",
]
