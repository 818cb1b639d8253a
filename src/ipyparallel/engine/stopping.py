"""How code that runs is told that its engine stops."""


class EngineStopping(KeyboardInterrupt):
    """Raised in the user's code when the engine is told to stop; ends it as Ctrl-C would.

    Its text completes "Engine 3 ...".
    """
