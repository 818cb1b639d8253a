"""Objects to frames and back: one pickler for functions, arguments and results."""
