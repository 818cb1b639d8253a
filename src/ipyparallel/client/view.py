"""The old import path of the views; they are in `ipyparallel.client.views`."""

from .views import DirectView, LazyMapIterator, LoadBalancedView, View, ViewExecutor

__all__ = ["DirectView", "LazyMapIterator", "LoadBalancedView", "View", "ViewExecutor"]
