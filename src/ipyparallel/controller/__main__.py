"""``python -m ipyparallel.controller``."""

from .app import main

main()
