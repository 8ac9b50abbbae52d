"""Around every decision: admit, call, tier, record, answer."""

from plimsoll.guard.addressee import Addressee
from plimsoll.guard.border import Border
from plimsoll.guard.breaker import BreakerRule
from plimsoll.guard.guard import Guard
from plimsoll.guard.health import Health, TargetHealth
from plimsoll.guard.retry import RetryRule
from plimsoll.guard.settings import CallRules, Constant, FallbackStep, GuardedType, GuardSettings, Hold, OtherTarget
from plimsoll.guard.spend import Settle, Spend
from plimsoll.guard.target import Ask, PythonTarget, Target, TargetFault, load_python_target
from plimsoll.guard.targets import load_target

__all__ = [
    "Addressee",
    "Ask",
    "Border",
    "BreakerRule",
    "CallRules",
    "Constant",
    "FallbackStep",
    "Guard",
    "GuardSettings",
    "GuardedType",
    "Health",
    "Hold",
    "OtherTarget",
    "PythonTarget",
    "RetryRule",
    "Settle",
    "Spend",
    "Target",
    "TargetFault",
    "TargetHealth",
    "load_python_target",
    "load_target",
]
