"""Bars: one module for each kind of source, the checked panel that all of them give, and its identity.

Nothing heavy is imported here: `bench.data.load` imports a source when a panel is loaded.
"""
