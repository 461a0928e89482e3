"""An answer as a file for people: Markdown, Word, PDF."""
