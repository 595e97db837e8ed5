"""A board as people see it: markdown and figures. Nothing is computed here that the board does not hold."""
