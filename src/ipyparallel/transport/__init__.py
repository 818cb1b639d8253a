"""Sockets: how they are set up, read in batches, and watched."""
