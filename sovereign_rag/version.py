"""The version, in a module that imports nothing: packaging reads it too."""

VERSION = "0.1.0"
