"""`python -m sovereign_rag` is the command line."""

from sovereign_rag.cli import main

main()
