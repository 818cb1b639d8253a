"""Records of tasks as the hub writes them."""

from collections.abc import Mapping


class Lazy(Mapping):
    """Some fields of a record: immutable, and decoded when they are asked for."""

    def __init__(self, nbytes=100, **fields):
        self.nbytes = nbytes
        self.fields = fields
        #: The fields that somebody has read.
        self.asked = []

    def __getitem__(self, field):
        value = self.fields[field]
        self.asked.append(field)
        return value

    def __contains__(self, field):
        return field in self.fields

    def __iter__(self):
        return iter(self.fields)

    def __len__(self):
        return len(self.fields)
