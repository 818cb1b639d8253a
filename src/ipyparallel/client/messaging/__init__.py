"""The client's side of the wire: from calls to messages, and from messages to futures.

`messenger` sends, `connection` reads in a thread, `dispatch` finds the task that a message belongs
to, `recording` keeps what it has shown.
"""
