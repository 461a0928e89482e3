"""Where chunks are kept and found: `protocol` says what is asked, the others do it."""
