"""The page: server-rendered, in French, German and English, with no asset from elsewhere."""
