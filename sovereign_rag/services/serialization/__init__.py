"""Our nouns as they go out: what the API answers, what its page describes, what `--json` prints.

Each model makes itself of a noun, so there is one description of each body. Times are ISO 8601 in
UTC, sets are sorted lists, enums are their values; nothing here depends on who asks, so whoever
calls has already decided what that person may see.
"""
