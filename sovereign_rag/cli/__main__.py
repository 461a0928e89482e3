"""`python -m sovereign_rag.cli`: the command line without its installed script."""

from sovereign_rag.cli import main

main()
