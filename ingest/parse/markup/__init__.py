"""HTML, EPUB, XML, Markdown and plain text."""
