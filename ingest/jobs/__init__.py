"""Jobs: what is to be taken in, handed to workers and watched until it is done."""
