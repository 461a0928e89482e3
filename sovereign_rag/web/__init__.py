"""The page: server-rendered, in five languages, with no asset from elsewhere."""
