"""Makes the example's own packages importable, as running its scripts does."""

import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "claims_reader"

sys.path.insert(0, str(EXAMPLE))
