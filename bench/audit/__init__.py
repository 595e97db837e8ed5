"""Whether an entry keeps to the rules: walked on short panels whose past or future is replaced, and watched."""
