"""The leaderboard: one object made from stored results, whether two of them agree, and its renderings.

No bars are read here and no entry is run: everything follows from the results and the published measure.
"""

from bench.board.agreement import differences
from bench.board.build import build_board
from bench.board.model import Board
from bench.board.writing import ensure_board, make_board

__all__ = ["Board", "build_board", "differences", "ensure_board", "make_board"]
