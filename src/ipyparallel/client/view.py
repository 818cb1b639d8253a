"""The old import path of the views; they are in `ipyparallel.client.views`."""

from .views import DirectView, LoadBalancedView, View

__all__ = ["DirectView", "LoadBalancedView", "View"]
