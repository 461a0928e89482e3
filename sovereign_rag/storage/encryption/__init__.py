"""Encryption at rest: a master key of the admin's, a data key a tenant, a key a content."""
