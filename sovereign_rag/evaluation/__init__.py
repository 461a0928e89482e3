"""How good search and answers are on labelled sets: `measures` judge what the others run."""
