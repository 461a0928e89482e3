"""The steps of `answer.py`: what a question becomes on its way to a checked answer."""
