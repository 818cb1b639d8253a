"""Functions that require something of the engine that is to run them."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any, TypeVar

from ..error import UnmetDependency
from .by_value import is_sent_by_value
from .pickler import reduces
from .prepickled import PrePickled

_T = TypeVar("_T")


class dependent:
    """A function, and what must hold on the engine for it to run there.

    Called here it just calls the function. Where it arrives the requirement is looked at first.

    Parameters
    ----------
    _wrapped_f : callable
        The function.
    _wrapped_df : callable
        The requirement: called on the engine; unless it returns False, it is met.
    *dargs, **dkwargs
        The arguments of the requirement.

    Raises
    ------
    TypeError
        One of the two cannot be called.
    """

    # where users import it from, and what pickles in the published form name
    __module__ = "ipyparallel.controller.dependency"

    def __init__(
        self,
        _wrapped_f: Callable[..., Any],
        _wrapped_df: Callable[..., Any],
        /,
        *dargs: Any,
        **dkwargs: Any,
    ) -> None:
        for func in (_wrapped_f, _wrapped_df):
            _check_callable(func)
        self.f = _wrapped_f
        self.__name__ = str(getattr(_wrapped_f, "__name__", "f"))
        self.df = _wrapped_df
        self.dargs = dargs
        self.dkwargs = dkwargs

    def __repr__(self) -> str:
        return f"<dependent: {self.__name__} on {_name_of(self.df)}>"

    def check_dependency(self) -> None:
        """See whether the requirement is met here.

        Raises
        ------
        UnmetDependency
            It is not.
        """
        if self.df(*self.dargs, **self.dkwargs) is False:
            raise UnmetDependency(
                f"{self.__name__} depends on {_name_of(self.df)}, which returned False"
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.f(*args, **kwargs)


def _check_callable(func: Any) -> None:
    # what stands for a function is called where it arrives
    if not callable(func) and not hasattr(func, "buffers"):
        raise TypeError(f"a dependency is between functions, and {func!r} is none")


def _name_of(func: Any) -> str:
    return str(getattr(func, "__name__", None) or repr(func))


@reduces(dependent)
def _reduce(func: dependent) -> Any:
    return load_dependent, (func.f, func.df, func.dargs, func.dkwargs)


def load_dependent(f: Any, df: Any, dargs: tuple[Any, ...], dkwargs: dict[str, Any]) -> dependent:
    """The function, if what it requires is met in this process.

    Raises
    ------
    UnmetDependency
        It is not.
    """
    func = dependent(f, df, *dargs, **dkwargs)
    func.check_dependency()
    return func


def depend(
    _wrapped_df: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Callable[[Callable[..., Any]], dependent]:
    """Decorate a function that may only run where a requirement is met.

    ::

        @ipp.depend(lambda: sys.platform == "linux")
        def task(): ...

    A load balanced view looks for an engine where it is; other views fail with `UnmetDependency`.

    Parameters
    ----------
    _wrapped_df : callable
        Called on the engine; unless it returns False, the requirement is met.
    *args, **kwargs
        Its arguments.

    Raises
    ------
    TypeError
        The requirement cannot be called.
    """
    _check_callable(_wrapped_df)
    return lambda func: dependent(func, _wrapped_df, *args, **kwargs)


def require(*objects: Any, **mapping: Any) -> Callable[[Callable[..., Any]], dependent]:
    """Decorate a function that needs modules, or other objects, in the namespace of the engine.

    ::

        @ipp.require("numpy", helper, limit=5)
        def task(x):
            return helper(numpy.asarray(x), limit)

    Parameters
    ----------
    *objects : str, module or function
        Modules, or their names, to import on the engine; functions and classes to put in its
        namespace by their own names. An engine that cannot import one does not meet the
        requirement; see `depend`.
    **mapping
        Objects to put in its namespace by these names, as they are now, when this is called.

    Raises
    ------
    TypeError
        An object has no name of its own.
    ValueError
        A name is not that of a module.
    """
    names = []
    sent: dict[str, Any] = {name: PrePickled(obj) for name, obj in mapping.items()}
    for obj in objects:
        if isinstance(obj, types.ModuleType) and not is_sent_by_value(obj.__name__):
            obj = obj.__name__
        if isinstance(obj, str):
            if not all(part.isidentifier() for part in obj.split(".")):
                raise ValueError(f"require: {obj!r} is not the name of a module")
            names.append(obj)
            continue
        name = getattr(obj, "__name__", None)
        if not isinstance(name, str) or not name.isidentifier():
            raise TypeError(
                f"require: {obj!r} has no name; give it one, as in require(name={_name_of(obj)})"
            )
        sent[name] = obj
    # of the namespace of the user, so that its globals are those of the engine
    return depend(interactive(_require), *names, **sent)


def _require(*modules: str, **objects: Any) -> None:
    """Import modules, and assign objects to their names, in the globals of this function.

    It is sent as it is, to engines of the published package too: so it imports what it uses.
    """
    from ipyparallel.error import UnmetDependency
    from ipyparallel.serialize import PrePickled, uncan

    namespace = globals()
    for name in modules:
        try:
            exec("import " + name, namespace)
        except ImportError as e:
            raise UnmetDependency(f"{name} is required, and cannot be imported: {e}") from e
    for name, value in objects.items():
        if isinstance(value, PrePickled):
            value = value.load()
        namespace[name] = uncan(value, namespace)


def interactive(f: _T) -> _T:
    """A function of a module, as if it had been typed: its globals are the engine's namespace.

    Parameters
    ----------
    f : function or class
        A class is changed in place, so that it travels by value.
    """
    if not isinstance(f, types.FunctionType):
        f.__module__ = "__main__"
        return f
    main = sys.modules["__main__"].__dict__
    twin = types.FunctionType(f.__code__, main, f.__name__, f.__defaults__, f.__closure__)
    twin.__kwdefaults__ = f.__kwdefaults__
    twin.__annotations__ = f.__annotations__
    twin.__qualname__ = f.__qualname__
    twin.__doc__ = f.__doc__
    twin.__dict__.update(f.__dict__)
    twin.__module__ = "__main__"
    return twin  # type: ignore[return-value]
