"""The catalogue: typed models of everything a customer edits in `config/`."""
