"""Running entries: what is missing, the clock that hands out days one by one, the child process and its limits.

The only room that starts a stranger's code.
"""
