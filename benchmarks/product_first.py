"""Imported first by a benchmark: the package `ingest` is the product's, not `ingest.py` beside it.

Python puts a script's own folder in front of everything; here it goes to the end.
"""

import sys
from pathlib import Path

_HERE = str(Path(__file__).resolve().parent)
sys.path[:] = [str(Path(_HERE).parent), *(path for path in sys.path if path != _HERE), _HERE]
