"""The picture in docs/checking.md is what its code draws."""

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_picture_of_the_checking_page_is_up_to_date(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "checking.md").read_text(encoding="utf-8")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
        if "to_svg" in block:
            break
    drawn = (tmp_path / "where.svg").read_text(encoding="utf-8")
    assert drawn == (DOCS / "check.svg").read_text(encoding="utf-8")
