"""Views: ways to have engines do something."""

from .balanced import LoadBalancedView
from .base import View
from .direct import DirectView

__all__ = ["DirectView", "LoadBalancedView", "View"]
