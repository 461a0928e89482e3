"""The door for programs that speak OpenAI's protocol: the same services, rights and record."""
