"""Our parts behind other frameworks' interfaces."""
