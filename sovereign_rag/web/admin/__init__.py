"""The console: what an admin looks after, in pages over the services; no logic of its own."""
