"""The data folder as copies elsewhere: made while it is used, verified, restored."""
