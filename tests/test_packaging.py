"""What is published: the source archive, the README of a package index, versions, ignored files."""

import fnmatch
import re
import tomllib
from pathlib import Path

import tinygrad_edu

REPOSITORY = Path(__file__).parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"!?\[[^\]]*\]\((?!https?:)([^)]+)\)")


def readme_of_an_index():
    hook = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = "".join(part.get("text") or README for part in hook["fragments"])
    for rule in hook["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    return text


def test_every_link_of_the_readme_leads_to_a_file():
    for target in LINK.findall(README):
        assert (REPOSITORY / target).exists(), target


def test_the_readme_of_a_package_index_has_no_link_or_picture_that_leads_nowhere():
    text = readme_of_an_index()
    assert not LINK.findall(text)
    assert "The picture shows" not in text
    for target in set(LINK.findall(README)):
        if not target.endswith((".svg", ".png")):
            assert f"`{target}`" in text
    assert text.count("```") == README.count("```")  # no code was taken for a link


def test_the_source_archive_has_every_part_of_the_project():
    listed = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    always = {"pyproject.toml", "PKG-INFO"}
    ignored = (REPOSITORY / ".gitignore").read_text(encoding="utf-8").split("\n")
    patterns = [line.strip("/") for line in ignored if line and not line.startswith("#")]
    parts = {path.name for path in REPOSITORY.iterdir()} - always - {".git"}
    parts = {p for p in parts if not any(fnmatch.fnmatch(p, pattern) for pattern in patterns)}
    assert {f"/{part}" for part in parts} == set(listed)


def test_versions_agree():
    version = PROJECT["project"]["version"]
    assert tinygrad_edu.__version__ == version
    citation = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", citation, re.M)[1] == version
    headings = re.findall(r"^## (.*)$", (REPOSITORY / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert headings[:2] == ["Unreleased", version]


def test_what_demos_write_is_ignored():
    """In the folder where the README's commands are typed, `git status` stays clean."""
    ignored = (REPOSITORY / ".gitignore").read_text(encoding="utf-8").split()
    written = set()
    for demo in (REPOSITORY / "demos").glob("*.py"):
        written |= set(re.findall(r"\b\w+\.(?:png|svg|html)\b", demo.read_text(encoding="utf-8")))
    written |= set(re.findall(r"\"(\w+\.(?:svg|html|npz))\"", README))
    assert len(written) > 12
    for name in written:
        assert any(fnmatch.fnmatch(f"/{name}", pattern) for pattern in ignored), name
