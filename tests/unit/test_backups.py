"""Where backups lie: names as the store is told, and folders of anybody's choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.embedded.backups import coming_in, going_out
from pipeline.errors import Halted, UsageError
from pipeline.operate.backups.place import Place


@pytest.mark.parametrize(
    ("name", "disk", "part"),
    [
        ("monday", "", "File('monday/1')"),
        ("2026/11-28_a+b.c/", "", "File('2026/11-28_a+b.c/1')"),
        ("/backups/monday", "", "File('/backups/monday/1')"),
        ("monday", "s3", "Disk('s3', 'monday/1')"),
        ("Montag-früh", "", "File('Montag-früh/1')"),
    ],
)
def test_a_name_is_a_place_of_the_store(name: str, disk: str, part: str) -> None:
    assert Place.of(name, disk).part("1") == part


@pytest.mark.parametrize("name", ["", "..", "a/../b", "a/..", "a//b", "a b", "a'b", "a\\b", "a\n"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a backup's name"):
        Place.of(name)


def test_a_backup_is_moved_to_its_folder_when_it_is_whole(tmp_path: Path) -> None:
    own, to = tmp_path / "backups", tmp_path / "far" / "away"
    with going_out(own, to) as name:
        (own / name).mkdir(parents=True)
        (own / name / "seal").write_text("whole")
        assert not to.exists()
    assert (to / "seal").read_text() == "whole"
    assert list(own.iterdir()) == []
    with pytest.raises(Halted, match="is there already"), going_out(own, to):
        pass


def test_a_backup_that_goes_wrong_leaves_nothing(tmp_path: Path) -> None:
    own, to = tmp_path / "backups", tmp_path / "away"

    def go_wrong() -> None:
        with going_out(own, to) as name:
            (own / name).mkdir(parents=True)
            raise Halted("gone wrong")

    with pytest.raises(Halted, match="gone wrong"):
        go_wrong()
    assert not to.exists()
    assert list(own.iterdir()) == []


def test_a_folder_is_lent_to_the_store_while_it_is_restored(tmp_path: Path) -> None:
    own, source = tmp_path / "backups", tmp_path / "kept"
    (source / "1").mkdir(parents=True)
    (source / "1" / "data").write_text("rows")
    with coming_in(own, source) as name:
        assert (own / name / "1" / "data").read_text() == "rows"
    assert list(own.iterdir()) == []
    assert (source / "1" / "data").read_text() == "rows"
    with pytest.raises(Halted, match="no folder with a backup"), coming_in(own, own / "nothing"):
        pass


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(Halted, match="away cannot be used: "),
        going_out(tmp_path / "backups", tmp_path / "file" / "away"),
    ):
        pass
