"""Results that are on their way: futures of one call on one or more engines."""

from ..messaging.cancellation import Cancellation
from .cancelling import cancel_together
from .hub import AsyncHubResult
from .iteration import as_completed
from .mapped import AsyncMapResult
from .result import AsyncResult

__all__ = [
    "AsyncHubResult",
    "AsyncMapResult",
    "AsyncResult",
    "Cancellation",
    "as_completed",
    "cancel_together",
]
