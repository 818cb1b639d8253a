"""How long records of ended tasks stay, and what is remembered of those that went. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

#: Sessions of clients of which it is remembered that records of theirs were culled.
PREFIXES = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of what has ended may stay; the names are those of the traits of `DictDB`."""

    #: Records whose results were fetched, and the bytes of these.
    record_limit: int
    fetched_size_limit: int
    #: Records whose results nobody has fetched yet.
    unfetched_record_limit: int
    #: Bytes of all records that have ended.
    size_limit: int
    #: By how much a limit that was exceeded is undercut then.
    cull_fraction: float


@dataclass(slots=True)
class _Queue:
    """Records that have ended, and their bytes, the one that came first first."""

    sizes: OrderedDict[str, int] = field(default_factory=OrderedDict)
    nbytes: int = 0

    def add(self, msg_id: str, nbytes: int) -> None:
        self.sizes[msg_id] = nbytes
        self.nbytes += nbytes

    def remove(self, msg_id: str) -> int | None:
        nbytes = self.sizes.pop(msg_id, None)
        self.nbytes -= nbytes or 0
        return nbytes

    def grow(self, msg_id: str, growth: int) -> None:
        if msg_id in self.sizes:
            self.sizes[msg_id] += growth
            self.nbytes += growth

    def pop(self) -> str:
        msg_id, nbytes = self.sizes.popitem(last=False)
        self.nbytes -= nbytes
        return msg_id


class Retention:
    """Which records must go, of those that have ended.

    Those whose results were fetched wait in one queue, the others in another one. It never hears
    of a pending record.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._fetched = _Queue()
        self._unfetched = _Queue()
        self._oversized: list[str] = []

    def add(self, msg_id: str, nbytes: int, *, fetched: bool) -> None:
        """A record has ended.

        One that is larger than all together may be is in excess at once, instead of the others.
        """
        if nbytes > self.limits.size_limit:
            self._oversized.append(msg_id)
            return
        (self._fetched if fetched else self._unfetched).add(msg_id, nbytes)

    def fetched(self, msg_id: str) -> None:
        """The result of a record was fetched."""
        nbytes = self._unfetched.remove(msg_id)
        if nbytes is not None:
            self._fetched.add(msg_id, nbytes)

    def grow(self, msg_id: str, growth: int) -> None:
        """A record that has ended takes this many bytes more."""
        self._fetched.grow(msg_id, growth)
        self._unfetched.grow(msg_id, growth)

    def remove(self, msg_id: str) -> None:
        """A record was dropped, or is pending again; unknown ones are ignored."""
        self._fetched.remove(msg_id)
        self._unfetched.remove(msg_id)

    def excess(self) -> Iterator[tuple[str, str]]:
        """Remove records until the limits are kept; yields ids, and the limits' names."""
        limits = self.limits
        fetched, unfetched = self._fetched, self._unfetched
        keep = 1 - limits.cull_fraction
        while self._oversized:
            yield self._oversized.pop(), "size_limit"
        if len(fetched.sizes) > limits.record_limit:
            while len(fetched.sizes) > limits.record_limit * keep:
                yield fetched.pop(), "record_limit"
        if fetched.nbytes > limits.fetched_size_limit:
            while fetched.nbytes > limits.fetched_size_limit * keep:
                yield fetched.pop(), "fetched_size_limit"
        if len(unfetched.sizes) > limits.unfetched_record_limit:
            while len(unfetched.sizes) > limits.unfetched_record_limit * keep:
                yield unfetched.pop(), "unfetched_record_limit"
        if fetched.nbytes + unfetched.nbytes > limits.size_limit:
            while fetched.nbytes + unfetched.nbytes > limits.size_limit * keep:
                yield (fetched if fetched.sizes else unfetched).pop(), "size_limit"


class Culled:
    """Which records went because of a limit, in constant memory.

    Message ids are a prefix and a number that is counted up: for each prefix, of those last
    heard of, the highest number that went is kept. A record that is not there, and has a number
    up to this, was culled (or dropped on request: this is not told apart).
    """

    def __init__(self, prefixes: int = PREFIXES) -> None:
        self._prefixes = prefixes
        self._highest: OrderedDict[str, tuple[int, str]] = OrderedDict()

    def add(self, msg_id: str, limit: str) -> tuple[str, int, str]:
        """A record went, because of a limit, of which a text tells.

        Returns what is remembered from now on, for those who keep it: the prefix, the highest
        number that went, and the limit.
        """
        prefix, number = split_id(msg_id)
        if (known := self._highest.get(prefix)) is not None:
            number = max(number, known[0])
        self.remember(prefix, number, limit)
        return prefix, number, limit

    def remember(self, prefix: str, number: int, limit: str) -> None:
        """Take in what was kept of an earlier run."""
        self._highest[prefix] = number, limit
        self._highest.move_to_end(prefix)
        if len(self._highest) > self._prefixes:
            self._highest.popitem(last=False)

    def why(self, msg_id: str) -> str | None:
        """The limit that a record, which is not there, fell victim to; None: it never was."""
        prefix, number = split_id(msg_id)
        if prefix not in self._highest:
            return None
        highest, limit = self._highest[prefix]
        return limit if number <= highest else None


def split_id(msg_id: str) -> tuple[str, int]:
    """The prefix and the number of a message id; the number is 0 if it has none."""
    prefix, _, number = msg_id.rpartition("_")
    if prefix and number.isdecimal() and number.isascii() and len(number) < 20:
        return prefix, int(number)
    return msg_id, 0
