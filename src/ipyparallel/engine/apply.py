"""The apply path: a call comes in, a reply goes out. No coroutine, no copy, little else."""

from __future__ import annotations

from collections.abc import Callable, Collection
from time import perf_counter
from typing import Any

from ..error import describe_exception
from ..protocol.messages import (
    UNREADABLE,
    ReplyMetadata,
    RequestMetadata,
    decode,
    decode_request_metadata,
    encode_any,
)
from ..protocol.session import Message, Session, utc_date
from ..serialize.apply import unpack_call
from ..serialize.culprits import find, name_of
from ..serialize.functions import LoadedFunctions
from ..serialize.limits import check_size
from .forked import exit_if_forked
from .interrupts import interruptible
from .kernel import IPythonParallelKernel
from .ledger import Ledger
from .output import KernelSession
from .stopping import EngineStopping

_OK = b'{"status":"ok"}'
_ABORTED = b'{"status":"aborted"}'


class UnpicklableResult(TypeError):
    """The call succeeded, and what it returned cannot be sent."""


class ApplyRunner:
    """Runs calls in the namespace of a kernel.

    Parameters
    ----------
    kernel : IPythonParallelKernel
    session : Session
        Makes the replies.
    ledger : Ledger
        Says which calls are cancelled.
    """

    def __init__(self, kernel: IPythonParallelKernel, session: Session, ledger: Ledger) -> None:
        self._kernel = kernel
        self._session = session
        self._ledger = ledger
        self._output: KernelSession = kernel.session
        self._functions = LoadedFunctions()

    def run(self, message: Message) -> list[Any]:
        """Run the call in an ``apply_request``; the frames of the reply, identities included."""
        request = _metadata(message)
        metadata = self._reply_metadata(request)
        kernel = self._kernel
        msg_id = message.header.msg_id
        parent = {"header": decode(message.header_frame)}
        kernel.set_parent(message.idents, parent, "shell")
        if request.count_output:
            self._output.begin_count(msg_id)
        else:
            kernel._publish_status("busy", "shell")
        buffers: list[Any] = []
        begun = perf_counter()
        try:
            buffers = self._call(message)
            content = _OK
        except BaseException as e:  # noqa: BLE001  (SystemExit too: the engine survives it)
            exit_if_forked(e)
            content = self._failure(e, request, metadata)
        metadata.elapsed = perf_counter() - begun
        kernel.flush_output()
        if request.count_output:
            metadata.output_count = self._output.end_count(msg_id)
        reply = self._reply(message, content, metadata, buffers)
        if not request.count_output:
            kernel._publish_status("idle", "shell")
        return reply

    @interruptible
    def _call(self, message: Message) -> list[Any]:
        """All of the user's code that is involved; the frames of what it returns."""
        if self._ledger.cancelled:  # the signal may have come before
            self._ledger.check()
        func, args, kwargs, pack = unpack_call(
            message.content_frame, message.buffers, self._functions
        )
        buffers = _pack(func(*args, **kwargs), func, pack)
        check_size(buffers, self._kernel.max_message_size, func, "IPEngine.max_message_size")
        return buffers

    def abort(self, message: Message, output_count: int = 0) -> list[Any]:
        """The reply to a request that will not be run, or was cancelled."""
        request = _metadata(message)
        metadata = self._reply_metadata(request)
        metadata.status = "aborted"
        if request.count_output:
            metadata.output_count = output_count
        return self._reply(message, _ABORTED, metadata, [])

    def refuse(self, message: Message, error: BaseException, output_count: int = 0) -> list[Any]:
        """The reply to a request that cannot be run."""
        metadata = self._reply_metadata(_metadata(message))
        metadata.status = "error"
        if _metadata(message).count_output:
            metadata.output_count = output_count
        return self._reply(message, encode_any(describe_exception(error)), metadata, [])

    def _reply(
        self, message: Message, content: bytes, metadata: ReplyMetadata, buffers: list[Any]
    ) -> list[Any]:
        header = self._session.header(message.header.msg_type.replace("_request", "_reply"))
        frames = self._session.frame(
            header,
            content,
            parent=message.header_frame,
            metadata=metadata,
            buffers=buffers,
            compact=message.compact,
        )
        return [*message.idents, *frames]

    def _reply_metadata(self, request: RequestMetadata) -> ReplyMetadata:
        return ReplyMetadata(
            started=utc_date(),
            engine=self._kernel.ident,
            is_broadcast=request.is_broadcast,
            is_coalescing=request.is_coalescing,
            original_msg_id=request.original_msg_id,
            label=request.label,
            status="ok",
        )

    def _failure(
        self, error: BaseException, request: RequestMetadata, metadata: ReplyMetadata
    ) -> bytes:
        kernel = self._kernel
        if self._ledger.top_is_cancelled() and not isinstance(error, EngineStopping):
            metadata.status = "aborted"
            return _ABORTED
        metadata.status = "error"
        if request.retry_on is not None:
            metadata.retryable = is_one_of(error, request.retry_on)
        metadata.engine_info = {"engine_uuid": kernel.ident, "engine_id": kernel.engine_id}
        metadata.dependencies_met = type(error).__name__ != "UnmetDependency"
        return encode_any(kernel.describe(error, kernel.traceback_of(error), "apply"))


def _metadata(message: Message) -> RequestMetadata:
    try:
        return decode_request_metadata(message.metadata_frame)
    except UNREADABLE:
        return RequestMetadata()  # nothing in it is needed to run the call


def is_one_of(error: BaseException, names: Collection[str]) -> bool:
    """Whether an exception is of one of these types, each ``module.qualname``."""
    return any(f"{kind.__module__}.{kind.__qualname__}" in names for kind in type(error).__mro__)


def _pack(result: Any, func: Any, pack: Callable[[Any], list[Any]]) -> list[Any]:
    try:
        return pack(result)
    except Exception as e:
        where, part, error = find("", result, pack) or ("", result, e)
        what = f"returned a {type(result).__name__}"
        if where:
            what += f", in which {where} is a {type(part).__name__}"
        raise UnpicklableResult(
            f"{name_of(func)} {what}, which cannot be pickled: {type(error).__name__}: {error}"
        ) from e
