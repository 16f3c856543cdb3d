"""The page on large models: its tables are what the command prints."""

import re
from pathlib import Path

import pytest

from spa_lab import cli

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scale.md"


def test_the_tables_are_printed_by_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    block = r"^```\n\$ spa-lab (plan [^\n]*)\n(.*?)```$"
    blocks = re.findall(block, PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    for command, table in blocks:
        assert cli.main(command.split()) == 0
        assert capsys.readouterr().out == table, command
