"""The controller: hub, schedulers and relays, in one process."""
