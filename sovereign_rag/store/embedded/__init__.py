"""Qdrant's engine on this machine: one process a data folder, spoken to over a Unix socket.

The engine (`qdrant-edge-py`) admits one process to a folder and holds the interpreter's lock in
every call, so it has a process of its own (`process`), which speaks the part of Qdrant's REST
protocol that the store uses (`facade`). `client` starts it, joins it and brings it back.
"""
