"""What is published, and whether it holds: guards, ledger, editions, citations, reproduction.

No bars are read here but to run a result again.
"""
