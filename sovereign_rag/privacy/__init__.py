"""What a person may ask of whoever keeps documents: what is held of them, and its erasure."""
