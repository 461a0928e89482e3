"""The machine: its cores, its clock, and the libraries' ways out, which are closed."""
