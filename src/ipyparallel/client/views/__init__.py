"""Views: ways to have engines do something."""

from .balanced import LoadBalancedView
from .base import View
from .direct import DirectView
from .executor import ViewExecutor
from .lazy_iterator import LazyMapIterator

__all__ = ["DirectView", "LazyMapIterator", "LoadBalancedView", "View", "ViewExecutor"]
