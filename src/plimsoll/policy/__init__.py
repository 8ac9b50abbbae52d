"""What may be decided by whom, and what the guards obey now: functions of values."""
