"""The recipe `fast` as it was when some studies' committed rows were trained.

`replace(recipe, **EARLIER)` makes it again.
"""

from typing import Any

# Batches of `mini`, the auxiliary CTC loss on attention's frames alone, TPS's slanted start.
EARLIER: dict[str, Any] = {"batch_size": 16, "auxiliary_frames": "decoder", "start": "orthogonal"}
