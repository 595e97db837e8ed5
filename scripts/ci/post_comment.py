"""Posts what a run of `entry.yml` found as one comment of its request, or updates the one that is there.

usage: python3 scripts/ci/post_comment.py

Run where there is a token that may write, so the artifact is hostile text: it was made by a stranger's code. Nothing of
it is written to disk or run; its name says which request it is for and is believed only if that request's head is the
commit that was run; its text is shown inside a fence that it cannot close. Standard library alone, since nothing is
installed there. Environment: GH_TOKEN, GITHUB_REPOSITORY, GITHUB_SERVER_URL, and of the run RUN_ID, HEAD_SHA, OUTCOME.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
import zlib
from typing import Any

ARTIFACT = re.compile(r"entry-request-([1-9][0-9]{0,8})")
PARTS = {"check.txt": "bench check", "verify.txt": "bench verify", "board.txt": "Preview of the boards"}
MAX_ARCHIVE = 200_000
"""Bytes of an artifact; a preview has some 10,000."""
MAX_PART = 18_000
"""Characters of one part; a comment holds 65,536."""
MARK = "<!-- volmark: entry request -->"
AUTHOR = "github-actions[bot]"
FENCE = "`" * 8
"""Longer than any run of backticks that is left in the text between."""


class Refused(Exception):
    """What came is not what `entry.yml` makes."""


def api(path: str, *options: str, body: dict[str, str] | None = None) -> bytes:
    """The answer of GitHub's interface to one request."""
    given = None if body is None else json.dumps(body).encode()
    source = [] if body is None else ["--input", "-"]
    return subprocess.run(
        ["gh", "api", path, *options, *source], check=True, stdout=subprocess.PIPE, input=given
    ).stdout


def find_artifact(listing: dict[str, Any]) -> tuple[int, int] | None:
    """Number of the request and of the artifact, None where the run left none; refuses several, and a large one."""
    named = [(ARTIFACT.fullmatch(item["name"]), item) for item in listing["artifacts"]]
    found = [(match, item) for match, item in named if match]
    if not found:
        return None
    if len(found) > 1:
        raise Refused(f"the run has {len(found)} artifacts named entry-request-NUMBER")
    match, item = found[0]
    if item["size_in_bytes"] > MAX_ARCHIVE:
        raise Refused(f"the artifact has {item['size_in_bytes']} bytes, more than {MAX_ARCHIVE}")
    return int(match[1]), int(item["id"])


def read_parts(archive: bytes) -> dict[str, str]:
    """The texts by file name, at most `MAX_PART` characters of each; other files are not looked at."""
    parts = {}
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            for name in PARTS.keys() & set(files.namelist()):
                with files.open(name) as file:
                    text = file.read(4 * MAX_PART).decode("utf-8", errors="replace")
                parts[name] = text if len(text) <= MAX_PART else text[:MAX_PART] + "\n(cut here)"
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise Refused(f"the artifact cannot be read: {error}") from error
    return parts


def fenced(text: str) -> str:
    """The text as a block of code: in it no mention, link, image or HTML is live, and nothing in it ends the block."""
    plain = "".join(sign for sign in text if sign == "\n" or sign.isprintable())
    inner = re.sub(f"{FENCE}+", "`", plain.strip())
    return f"{FENCE}text\n{inner}\n{FENCE}"


def comment(parts: dict[str, str], head: str, outcome: str, run_url: str) -> str:
    """The comment's markdown."""
    shown = [f"**{title}**\n\n{fenced(parts[name])}" for name, title in PARTS.items() if name in parts]
    lead = (
        f"{MARK}\nThe checks of {head[:12]} ended in **{outcome}** ([log]({run_url})). "
        "The text below was printed by the run, which runs the code of the request."
    )
    return "\n\n".join([lead, *(shown or ["It printed nothing: see the log."])])


def own_comment(repository: str, number: int) -> int | None:
    """The comment that an earlier run left at the request, if any."""
    wanted = f'.[] | select(.user.login == "{AUTHOR}" and (.body | startswith("{MARK}"))) | .id'
    found = api(f"repos/{repository}/issues/{number}/comments", "--paginate", "--jq", wanted).split()
    return int(found[0]) if found else None


def post(environment: dict[str, str]) -> str:
    """Post or update the comment; returns what was done."""
    repository, run, head = (environment[key] for key in ("GITHUB_REPOSITORY", "RUN_ID", "HEAD_SHA"))
    found = find_artifact(json.loads(api(f"repos/{repository}/actions/runs/{run}/artifacts")))
    if found is None:
        return "the run left nothing to post"
    number, artifact = found
    request = json.loads(api(f"repos/{repository}/pulls/{number}"))
    if request["state"] != "open" or request["head"]["sha"] != head:
        return f"request {number} is not open at {head[:12]}: nothing is posted"
    parts = read_parts(api(f"repos/{repository}/actions/artifacts/{artifact}/zip"))
    url = f"{environment['GITHUB_SERVER_URL']}/{repository}/actions/runs/{run}"
    body = {"body": comment(parts, head, environment["OUTCOME"], url)}
    earlier = own_comment(repository, number)
    if earlier is None:
        api(f"repos/{repository}/issues/{number}/comments", "--method", "POST", body=body)
        return f"request {number}: posted"
    api(f"repos/{repository}/issues/comments/{earlier}", "--method", "PATCH", body=body)
    return f"request {number}: updated"


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{post(dict(os.environ))}\n")
    except Refused as refusal:
        sys.exit(f"refused: {refusal}")
