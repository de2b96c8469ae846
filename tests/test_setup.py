"""The set-up: skipped when nothing changed, done again when something did, refused in one sentence when it can't be."""

import importlib.util
import os
import runpy
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tools import set_up, stamps

SCRIPT = stamps.ROOT / "evil2root"


@pytest.fixture
def small_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all that the stamps look at, with every stage stamped as finished."""
    for name in {"pyproject.toml", "tools/set_up.py", *(part for parts in stamps.STAGES.values() for part in parts)}:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(stamps.ROOT / name, tmp_path / name)
    for constant in ("ROOT", "VENV", "LOCKS", "TOOLS", "VENDOR"):
        place = tmp_path / getattr(stamps, constant).relative_to(SCRIPT.parent)
        place.mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(stamps, constant, place)
    monkeypatch.setattr(set_up, "ROOT", tmp_path)
    monkeypatch.setattr(set_up, "VENV", tmp_path / ".venv")
    for stage in stamps.STAGES:
        stamps.stamp_of(stage).write_text(stamps.fingerprint(stage))
    return tmp_path


class TestStamps:
    @pytest.mark.parametrize("stage", stamps.STAGES)
    def test_hold_while_nothing_changed(self, small_house: Path, stage: str) -> None:
        project = small_house / "pyproject.toml"
        project.write_text(project.read_text() + "\n[tool.other]\n")  # a tool's setting installs nothing

        assert stamps.is_current(stage)

    @pytest.mark.parametrize("changed", ["pyproject.toml", "tools/set_up.py", *stamps.STAGES["base"]])
    def test_of_the_base_break_when_what_it_is_made_of_changes(self, small_house: Path, changed: str) -> None:
        path = small_house / changed
        path.write_text("# changed\n" + path.read_text())

        assert not stamps.is_current("base")

    def test_of_the_base_outlive_a_change_of_the_development_lock(self, small_house: Path) -> None:
        (small_house / "requirements/dev.lock").write_text("changed")

        assert stamps.is_current("base")
        assert not stamps.is_current("dev")

    def test_break_when_the_front_end_files_are_gone(self, small_house: Path) -> None:
        (small_house / "src/evil2root/web/static/vendor").rmdir()

        assert not stamps.is_current("base")


class TestSetUp:
    def test_is_skipped_when_the_stamps_hold(self, small_house: Path, capfd: pytest.CaptureFixture[str]) -> None:
        code = set_up.main(["--with=dev"])

        assert (code, capfd.readouterr().err) == (0, "")
        assert small_house.is_dir()

    def test_waits_for_another_one(self, small_house: Path, capfd: pytest.CaptureFixture[str]) -> None:
        answers: list[int] = []
        with set_up.only_one_set_up():
            second = threading.Thread(target=lambda: answers.append(set_up.main([])))
            second.start()
            second.join(timeout=0.5)
            waiting = second.is_alive()
        second.join(timeout=10)

        assert waiting
        assert answers == [0]
        assert "Another set-up is running" in capfd.readouterr().err
        assert (small_house / ".setup.lock").is_file()

    @pytest.mark.usefixtures("small_house")
    def test_refuses_a_folder_of_somebody_else(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)

        assert set_up.main([]) == 1
        assert "you may not write there. Clone the project into a folder of your own" in capfd.readouterr().err

    @pytest.mark.usefixtures("small_house")
    def test_names_the_part_of_python_that_is_missing(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else real(name))

        assert set_up.main([]) == 1
        assert "has no ensurepip: install them (on Debian and Ubuntu: apt install python3." in capfd.readouterr().err

    @pytest.mark.usefixtures("small_house")
    def test_says_how_much_room_it_needs(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        full = shutil.disk_usage("/")._replace(free=20_000_000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: full)

        assert set_up.main([]) == 1
        assert f"20 MB are free in {stamps.ROOT}, 1500 MB are needed" in capfd.readouterr().err


class TestScript:
    def test_tells_an_old_python_what_is_needed(self, tmp_path: Path) -> None:
        program = (
            "import runpy, sys; sys.version_info = (3, 9, 18, 'final', 0); "
            f"sys.argv = ['evil2root', 'demo']; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
        )

        answer = subprocess.run(
            [sys.executable, "-c", program], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
        )

        assert answer.returncode == 1
        assert answer.stderr.startswith("EVIL2ROOT needs Python 3.11 or newer, this is 3.9 (")

    def test_lists_its_commands(self) -> None:
        answer = subprocess.run([SCRIPT, "help"], capture_output=True, text=True, check=True)

        assert [word for word in ("demo", "test", "check", "setup") if f"\n  {word}" not in answer.stdout] == []

    @pytest.mark.parametrize(
        ("options", "spread"),
        [([], True), (["-q", "--maxfail=1"], True), (["tests/domain"], False), (["-n0"], False), (["--pdb"], False)],
    )
    def test_spreads_the_whole_suite_alone_over_the_cores(self, options: list[str], spread: bool) -> None:
        workers = runpy.run_path(str(SCRIPT))["workers"](options)

        assert (workers[:1] == ["-n"]) is spread
