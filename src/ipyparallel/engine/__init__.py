"""The engine: an IPython kernel that serves many clients, and the supervisor that makes it."""
