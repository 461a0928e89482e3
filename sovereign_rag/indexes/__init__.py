"""The indexes of an installation: the live one, and those beside it."""
