"""A new index built beside the live one."""
