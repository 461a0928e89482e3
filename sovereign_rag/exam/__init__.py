"""An exam for language models: whether their own words are better than the passages themselves."""
