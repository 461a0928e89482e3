"""The organisation's directory by LDAP: one bind, one search, groups within groups."""
