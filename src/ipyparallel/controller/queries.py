"""What clients and engines ask the hub, one function a question."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..error import wrap_exception
from ..protocol.messages import (
    BecomeDaskRequest,
    ConnectionRequest,
    QueueRequest,
    RegistrationReply,
    RegistrationRequest,
    UnregistrationRequest,
)
from ..protocol.session import Message
from ..protocol.versions import own_versions
from . import link, task_queries
from .answers import Reply, guarded, select
from .registry import Engine, RegistrationError

if TYPE_CHECKING:
    from .hub import Hub


def answer(hub: Hub, message: Message, reply: Reply) -> None:
    """Answer a query; one that fails, or makes no sense, is answered by a ``hub_error``."""
    guarded(hub.log, message, reply, partial(_answer, hub, message, reply))


def _answer(hub: Hub, message: Message, reply: Reply) -> None:
    handler = _HANDLERS.get(message.header.msg_type)
    if handler is None:
        raise KeyError(f"Bad Message Type: {message.header.msg_type!r}")
    handler(hub, message, reply)


def _connect(hub: Hub, message: Message, reply: Reply) -> None:
    request = message.read_content(ConnectionRequest)

    def connected() -> None:
        engines = hub.registry.ready
        # every key is there, also when there are no engines: published clients rely on it
        content = {
            "status": "ok",
            "engines": {str(engine.id): engine.uuid for engine in engines},
            "native": [engine.uuid for engine in engines if engine.native],
            "instance": hub.instance,
            "patience": hub.restoration.patience,
            "versions": {
                "controller": own_versions(),
                **{engine.uuid: engine.versions for engine in engines if engine.versions},
            },
        }
        reply("connection_reply", content)

    # by then, of the engines of an earlier run it is known which are still there
    hub.when_subscribed(request.token, partial(hub.restoration.when_over, connected))


def _register(hub: Hub, message: Message, reply: Reply) -> None:
    request = message.read_content(RegistrationRequest)
    known = hub.registry.get(request.uuid) if request.returning else None
    if known is not None and not hub.is_leaving(known):
        # its answer was lost, or it was asked twice
        reply("registration_reply", _registered(hub, known))
    elif request.returning:
        hub.when_gone(request.uuid, partial(_take_in, hub, request, reply))
    elif request.replaces:
        # clients see the old one leave before the new one comes, which gets its id
        hub.when_gone(request.replaces, partial(_take_in, hub, request, reply))
    else:
        _take_in(hub, request, reply)


def _take_in(hub: Hub, request: RegistrationRequest, reply: Reply) -> None:
    try:
        engine = hub.registry.register(
            request.uuid,
            request.id,
            native=request.reports_ready,
            resources=request.resources,
            versions=request.versions,
        )
    except RegistrationError as e:
        hub.log.error("Refused an engine: %s", e)
        reply("registration_reply", wrap_exception())
        return
    hub.log.debug("Engine %d is coming", engine.id)
    engine.returning = request.returning
    engine.holding, engine.balanced = request.holding, request.balanced
    engine.answered = request.answered
    reply("registration_reply", _registered(hub, engine))
    hub.engine_coming(engine)


def _registered(hub: Hub, engine: Engine) -> RegistrationReply:
    return RegistrationReply(
        engine.id,
        int(hub.heart_period * 1000),
        hub.connection_info,
        client_info=hub.client_info,
        patience=hub.restoration.patience,
    )


def _unregister(hub: Hub, message: Message, reply: Reply) -> None:
    request = message.read_content(UnregistrationRequest)
    engine = None
    if request.uuid is not None:
        engine = hub.registry.get(request.uuid)
    elif request.id is not None:
        engine = hub.registry.by_id(request.id)
    if engine is not None:
        hub.engine_gone(engine, request.reason)
    elif request.uuid is not None:
        hub.engine_dead(request.uuid)


def _queue_status(hub: Hub, message: Message, reply: Reply) -> None:
    request = message.read_content(QueueRequest)
    engines = select(hub.registry, request.targets)

    def tell(direct: link.Load, balanced: link.Load) -> None:
        content: dict[str, Any] = {"status": "ok"}
        for engine in engines:
            queue, answered = direct.engines.get(engine.uuid, ([], 0))
            tasks, completed = balanced.engines.get(engine.uuid, ([], 0))
            known = hub.records.completed_on(engine.uuid) if request.verbose else []
            content[str(engine.id)] = {
                "queue": queue if request.verbose else len(queue),
                "completed": known if request.verbose else answered + completed,
                "tasks": tasks if request.verbose else len(tasks),
            }
        waiting = balanced.waiting
        content["unassigned"] = waiting if request.verbose else len(waiting)
        reply("queue_reply", content)

    hub.ask_load(lambda *loads: guarded(hub.log, message, reply, partial(tell, *loads)))


def _shut_down(hub: Hub, message: Message, reply: Reply) -> None:
    hub.log.info("A client shuts this cluster down")
    reply("shutdown_reply", {"status": "ok"})
    hub.stop()


def _become_dask(hub: Hub, message: Message, reply: Reply) -> None:
    hub.dask.answer_start(message.read_content(BecomeDaskRequest).scheduler_args, reply)


def _stop_dask(hub: Hub, message: Message, reply: Reply) -> None:
    hub.dask.answer_stop(reply)


_HANDLERS: dict[str, Callable[[Hub, Message, Reply], None]] = {
    "become_dask_request": _become_dask,
    "connection_request": _connect,
    "registration_request": _register,
    "unregistration_request": _unregister,
    "queue_request": _queue_status,
    "shutdown_request": _shut_down,
    "stop_distributed_request": _stop_dask,
    **task_queries.HANDLERS,
}
