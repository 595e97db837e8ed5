"""The command line: parse, call `bench.api`, print.

Results go to stdout, progress and messages to stderr. Exit codes: 0 ok, 1 a result failed, 2 usage or data.
"""

from __future__ import annotations

import sys

from bench.cli.app import app
from bench.cli.common import say
from bench.errors import BenchError


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr."""
    try:
        app(prog_name="bench")
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output is gone
        sys.stderr.close()
        sys.exit(1)
