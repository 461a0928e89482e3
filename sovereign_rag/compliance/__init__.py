"""What an installation says of itself: what it is made of, and whom it may speak to."""
