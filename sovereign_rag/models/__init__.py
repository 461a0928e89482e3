"""The models on this machine: what packages ship, what files say of themselves, their hashes."""
