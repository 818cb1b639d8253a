"""Data that a running task sends to its client: the public address of `engine.datapub`."""

from .engine.datapub import ZMQDataPublisher, publish_data

__all__ = ["ZMQDataPublisher", "publish_data"]
