"""What is kept on disk beside the index: originals and texts, the audit record, passwords."""
