"""The address by which users, and pickles of the published package, know dependencies.

Nothing here is used by the controller, which never opens what it passes on.
"""

from ..error import UnmetDependency
from ..scheduling.dependencies import Dependency
from ..serialize.functional import depend, dependent, interactive, require

__all__ = ["Dependency", "UnmetDependency", "depend", "dependent", "interactive", "require"]
