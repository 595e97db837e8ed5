"""The leaderboard: one object made from stored results, and its renderings."""

from bench.board.agreement import differences
from bench.board.build import build_board
from bench.board.model import Board
from bench.board.writing import board_folder, ensure_board, make_board

__all__ = ["Board", "board_folder", "build_board", "differences", "ensure_board", "make_board"]
