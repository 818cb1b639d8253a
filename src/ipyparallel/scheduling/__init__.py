"""Which engine runs which task, and when: decisions only, no sockets, no clock."""
