"""The door for programs that speak the Model Context Protocol, over HTTP and over stdio."""
