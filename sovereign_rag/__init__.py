"""The read side: a principal's question becomes a cited answer, on this machine alone."""

from sovereign_rag.system import offline
from sovereign_rag.version import VERSION

offline.switch_off()

__version__ = VERSION
