"""Documents, tokens and labelled texts."""
