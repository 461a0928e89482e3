"""What is known of documents, jobs, keys and sessions; `records` are the nouns."""
