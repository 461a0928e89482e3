"""Sources and the index kept alike."""
