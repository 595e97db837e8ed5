"""The leaderboard: one table object made from stored results, and its renderings."""

from bench.board.table import Board, build_board
from bench.board.writing import board_folder, differences, write_board

__all__ = ["Board", "board_folder", "build_board", "differences", "write_board"]
