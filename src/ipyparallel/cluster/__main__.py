"""``python -m ipyparallel.cluster``."""

from .app import main

main()
