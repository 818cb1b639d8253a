"""``python -m ipyparallel.engine``."""

from .app import main

main()
