"""Office documents, spreadsheets, presentations."""
