"""Citations: CITATION.cff, BibTeX that parses whatever the names hold, APA, plain text, and what is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from citations import cffconvert, check_cff, parse_bibtex
from conftest import ROOT, Sandbox
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench.errors import BenchError
from bench.publish.citation import (
    FORMATS,
    CitedEntry,
    Reference,
    Release,
    cite_entry,
    own_bibtex,
    read_metadata,
    render,
)
from bench.publish.editions import editions


def unescape(text: str) -> str:
    """What TeX would show."""
    for name, letter in (("backslash", "\0"), ("braceleft", "{"), ("braceright", "}")):
        text = text.replace(rf"\text{name}{{}}", letter)
    text = text.replace(r"\textasciitilde{}", "~").replace(r"\textasciicircum{}", "^")
    return re.sub(r"\\([&%$#_])", r"\1", text).replace("\0", "\\")


def reference(**changed: object) -> Reference:
    known = {
        "key": "volmark-2026.1",
        "authors": ("The volmark authors",),
        "title": "volmark",
        "about": "Edition 2026.1",
    }
    return Reference(**{**known, "year": "2026", **changed})  # type: ignore[arg-type]


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """A benchmark with a CITATION.cff."""
    shutil.copy(ROOT / "CITATION.cff", sandbox.root)
    return sandbox


# CITATION.cff ----------------------------------------------------------------------------------------


def test_citation_file_is_valid() -> None:
    check_cff(ROOT / "CITATION.cff")


def test_citation_file_says_what_the_package_says() -> None:
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(said["version"]) == bench.__version__
    assert said["license"] == "MIT"
    assert said["authors"] == [{"name": "The volmark authors"}]


def test_checker_refuses_a_wrong_file(tmp_path: Path) -> None:
    path = tmp_path / "CITATION.cff"
    path.write_text((ROOT / "CITATION.cff").read_text(encoding="utf-8").replace("license: MIT", "license: [1]"))
    program = cffconvert()
    assert subprocess.run([program, "--validate", "-i", str(path)], capture_output=True, check=False).returncode != 0


def test_metadata_keeps_keys_it_does_not_know(tmp_path: Path) -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    text = text.replace(
        "  - name: The volmark authors", "  - family-names: Müller\n    given-names: Jane\n    orcid: x"
    )
    (tmp_path / "CITATION.cff").write_text(text, encoding="utf-8")
    metadata = read_metadata(tmp_path)
    assert [str(author) for author in metadata.authors] == ["Müller, Jane"]
    cff = metadata.as_cff(version="2026.1")
    assert cff["authors"] == [{"family-names": "Müller", "given-names": "Jane", "orcid": "x"}]
    assert (cff["version"], cff["cff-version"], cff["license"]) == ("2026.1", "1.2.0", "MIT")


def test_metadata_without_a_title_is_one_line(tmp_path: Path) -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    (tmp_path / "CITATION.cff").write_text(re.sub(r"(?m)^title:.*\n", "", text), encoding="utf-8")
    with pytest.raises(BenchError, match=r"CITATION\.cff: title: missing key"):
        read_metadata(tmp_path)


# Formats ---------------------------------------------------------------------------------------------


@given(title=st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=40))
def test_bibtex_gives_back_any_title(title: str) -> None:
    (key, fields), second = parse_bibtex(render([reference(title=title), reference()], "bibtex"))
    assert key == "volmark-2026.1"
    assert unescape(fields["title"][1:-1]) == title
    assert second[1]["author"] == "{The volmark authors}"


@given(name=st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=30))
def test_bibtex_gives_back_any_author(name: str) -> None:
    ((_, fields),) = parse_bibtex(render([reference(authors=(name, "Corsi, Fulvio"))], "bibtex"))
    author = fields["author"].removesuffix(" and Corsi, Fulvio")
    whole = author[1:-1] if author.startswith("{") and author.endswith("}") else author
    assert unescape(whole) == name


def test_authors_in_every_format() -> None:
    one = reference(authors=("Müller, Jürgen Karl", "Ng Ltd. and Sons, Inc.", "Økonomi & Data AS"))
    ((_, fields),) = parse_bibtex(render([one], "bibtex"))
    assert fields["author"] == r"Müller, Jürgen Karl and {Ng Ltd. and Sons, Inc.} and {Økonomi \& Data AS}"
    assert render([one], "apa") == (
        "Müller, J. K., Ng Ltd. and Sons, Inc., & Økonomi & Data AS. (2026). volmark [Edition 2026.1]."
    )
    assert render([one], "plain") == (
        "Jürgen Karl Müller, Ng Ltd. and Sons, Inc., Økonomi & Data AS. volmark. Edition 2026.1, 2026."
    )


def test_without_an_edition_there_is_no_year(tmp_path: Path) -> None:
    release = Release(read_metadata(ROOT), "0.1.0", "1.0")
    entry = CitedEntry.model_validate(
        {"version": "2", "description": "d", "authors": [{"name": "A"}], "licence": "MIT"}
    )
    cited = cite_entry(release, "flat", entry, None)
    assert "(n.d.)" in render([cited], "apa")
    assert "year" not in parse_bibtex(render([cited], "bibtex"))[0][1]
    assert "no frozen edition" in cited.about


@pytest.mark.parametrize(
    "text", ["@article{a, title = {x}", "@article{a}, b}", r"@misc{a, title = {\}}}", "Corsi 2009"]
)
def test_broken_bibtex_of_an_entry_is_refused(text: str) -> None:
    entry = CitedEntry.model_validate(
        {"version": "1", "description": "d", "authors": [{"name": "A"}], "licence": "MIT", "bibtex": text}
    )
    with pytest.raises(BenchError, match="flat: `bibtex` in its"):
        own_bibtex("flat", entry)


# The command -----------------------------------------------------------------------------------------


def test_cite_the_benchmark(box: Sandbox) -> None:
    done = box("cite")
    assert done.code == 0 and "no edition is frozen" in done.err
    ((key, fields),) = parse_bibtex(done.out)
    assert key == f"volmark-{bench.__version__}"
    assert fields["howpublished"] == f"Version {bench.__version__}, protocol 1.0, no frozen edition"
    for style in FORMATS:
        assert "The volmark authors" in box("cite", "--format", style).out


def test_a_clone_that_knows_where_it_is_from_says_so(box: Sandbox) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", "-C", str(box.root), *who, *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    git("remote", "add", "origin", "https://me:secret@example.org/someone/volmark_2.git")
    git("add", "CITATION.cff")
    git("commit", "--quiet", "--message", "one")
    commit = git("rev-parse", "HEAD")
    ((_, fields),) = parse_bibtex(box("cite").out)
    assert (fields["url"], fields["note"]) == ("https://example.org/someone/volmark_2", f"commit {commit}")
    for style in ("apa", "plain"):
        said = box("cite", "--format", style).out.rstrip()
        assert said.endswith(f". https://example.org/someone/volmark_2 (commit {commit[:12]})")
    assert box("cite", "--json").json["references"][0]["commit"] == commit


def test_cite_an_entry_without_a_score(box: Sandbox) -> None:
    path = box.root / "submissions" / "flat" / "submission.yaml"
    spec = yaml.safe_load(path.read_text())
    own = '@article{me2026,\n  title = {{Flat} & {\\"u}},\n}'
    path.write_text(yaml.safe_dump({**spec, "authors": [{"name": "Ångström, Ida"}, {"name": "R&D"}], "bibtex": own}))
    done = box("cite", "flat")
    assert done.code == 0 and "no score of flat" in done.err
    (row, benchmark) = parse_bibtex(done.out.removesuffix(own + "\n"))
    assert done.out.endswith(f"\n\n{own}\n")
    assert row[1]["author"] == r"Ångström, Ida and {R\&D}"
    assert row[1]["title"] == "{flat, version 1: made up}"
    assert benchmark[0] == f"volmark-{bench.__version__}"
    apa = box("cite", "flat", "--format", "apa")
    assert apa.out.startswith("Ångström, I., & R&D. (n.d.). flat, version 1: made up [") and "in BibTeX" in apa.err
    told = box("cite", "flat", "--json").json
    assert told["bibtex"] == own and told["references"][0]["authors"] == ["Ångström, Ida", "R&D"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["flta"], "no entry `flta` (did you mean `flat`?)"),
        (["flat", "--format", "bibtx"], "no format `bibtx` (did you mean `bibtex`?)"),
        (["--edition", "2026.1"], "no edition `2026.1`: none is frozen yet"),
        (["flat", "--dataset", "tyni"], "no dataset `tyni` (known: tiny)"),
        (["flat", "--dataset", "tiny"], "no score of flat on tiny"),
    ],
)
def test_mistakes_are_one_line(box: Sandbox, arguments: list[str], said: str) -> None:
    done = box("cite", *arguments)
    assert done.code == 2 and done.out == ""
    assert done.err.splitlines()[-1].startswith(f"error: {said}")


def test_a_benchmark_without_metadata_is_one_line(sandbox: Sandbox) -> None:
    done = sandbox("cite")
    assert done.code == 2 and "CITATION.cff: cannot be read" in done.err


def test_a_damaged_board_is_one_line(box: Sandbox) -> None:
    path = box.root / "results" / "tiny" / "leaderboard.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"tables": 3}')
    done = box("cite", "flat")
    assert done.code == 2 and f"{path} is damaged" in done.err


def test_editions_are_ordered_by_number(tmp_path: Path) -> None:
    for name in ("2026.10", "2026.2", "2025.3", "latest", ".2026.3.tmp"):
        (tmp_path / "editions" / name).mkdir(parents=True)
    assert editions(tmp_path) == ["2025.3", "2026.2", "2026.10"]
