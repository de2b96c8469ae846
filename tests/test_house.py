"""The house rules catch what they are there for; the checks of the house see every file."""

import ast
import importlib.metadata
import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tools import front_end, house_rules, stamps

BOOK = "src/evil2root/domain/book/planted.py"
PAGE = "src/evil2root/web/templates/planted.html"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def direct_dependencies() -> set[str]:
    project = tomllib.loads((stamps.ROOT / "pyproject.toml").read_text())
    return {canonical(re.split(r"[\[<>=; ]", line)[0]) for line in project["project"]["dependencies"]}


def extras() -> set[str]:
    project = tomllib.loads((stamps.ROOT / "pyproject.toml").read_text())
    listed = project["project"]["optional-dependencies"].values()
    return {canonical(re.split(r"[\[<>=; ]", line)[0]) for lines in listed for line in lines}


def imported_by(source: Path) -> set[str]:
    """Give the top-level modules a file imports, late imports included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def lock(name: str) -> dict[str, set[str]]:
    """Versions by package name, as the lock file has them; some differ by Python version."""
    versions: dict[str, set[str]] = {}
    for line in (stamps.LOCKS / f"{name}.lock").read_text().splitlines():
        if pinned := re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line):
            versions.setdefault(pinned[1].lower(), set()).add(pinned[2])
    return versions


class TestHouseRules:
    @pytest.mark.parametrize(
        ("place", "text", "advice"),
        [
            (BOOK, "fee = float(raw)\n", "a float in a money room"),
            (BOOK, "def pay(cash: float) -> None: ...\n", "a float in a money room"),
            (BOOK, "RATE = 0.1\n", "a float in a money room"),
            ("src/evil2root/engine/planted.py", "order = Approved(size=1)\n", "makes an Approved"),
            ("src/evil2root/engine/planted.py", "order = gate.Approved(size=1)\n", "makes an Approved"),
            (PAGE, '<p style="color: red">', "an inline style"),
            (PAGE, "<style>p { color: red }</style>", "an inline style sheet"),
            (PAGE, '<p hx-on:click="go()">', "hx-on"),
            (PAGE, '<p onclick="go()">', "an inline event handler"),
            (PAGE, "<a hx-vals='js:{a: 1}'>", "text run as code"),
            (PAGE, "<script>go()</script>", "an inline script"),
            (PAGE, '<script src="https://cdn.example/x.js">', "another origin"),
            (PAGE, "{{ symbol | safe }}", "marked safe"),
            ("tests/planted.py", "x = 1\n" * 401, "401 lines"),
            ("tests/planted.py", "def long():\n" + "    x = 1\n" * 70, "long has 71 lines"),
            ("docs/planted.md", "TODO: say more", "a note to finish later"),
            ("docs/planted.md", "see /home/ann/notes", "a path of one machine"),
            ("requirements/planted.lock", "--index-url https://index.example/simple", "an address"),
            ("package-lock.json", '"resolved": "x"', "an address"),
        ],
    )
    def test_catch_a_planted_breach(self, place: str, text: str, advice: str) -> None:
        breaches = house_rules.breaches_of(place, text)

        assert [advice in breach.advice for breach in breaches] == [True]

    @pytest.mark.parametrize(
        ("place", "text"),
        [
            (BOOK, "def drawdown_frac(self) -> float:\n    return float(1 - self.equity / self.peak)\n"),
            ("src/evil2root/domain/risk/gate.py", "Approved(size=1)\n"),
            (
                "src/evil2root/engine/planted.py",
                "match answer:\n    case Approved() as approved:\n        go(approved)\n",
            ),
            (PAGE, '<script type="module" src="/static/js/app.js"></script><p class="on">{{ symbol }}</p>'),
            ("tests/planted.py", 'def long():\n    """Say.\n' + "    more\n" * 90 + '    """\n    return 1\n'),
        ],
    )
    def test_leave_honest_code_alone(self, place: str, text: str) -> None:
        assert house_rules.breaches_of(place, text) == []

    def test_see_the_files_of_this_project(self) -> None:
        seen = {path.relative_to(stamps.ROOT).as_posix() for path in house_rules.project_files()}

        assert {"evil2root", "pyproject.toml", "tools/house_rules.py"} <= seen
        assert not any(name.startswith((".venv/", "src/evil2root/web/static/vendor/")) for name in seen)


class TestLocks:
    def test_hold_every_direct_dependency(self) -> None:
        assert direct_dependencies() <= {canonical(name) for name in lock("base")}

    def test_are_made_from_all_that_the_package_imports(self) -> None:
        imported = {name for source in (stamps.ROOT / "src").rglob("*.py") for name in imported_by(source)}
        providers = importlib.metadata.packages_distributions()
        outside = {name: providers.get(name, [name]) for name in imported - sys.stdlib_module_names - {"evil2root"}}

        undeclared = {
            name: packages
            for name, packages in outside.items()
            if not (direct_dependencies() | extras()) & {canonical(package) for package in packages}
        }

        assert undeclared == {}

    def test_leave_what_an_extra_brings_to_whoever_uses_it(self) -> None:
        for source in (stamps.ROOT / "src").rglob("*.py"):
            body = ast.parse(source.read_text()).body
            at_once = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
            text = "\n".join(ast.unparse(node) for node in at_once)
            assert not extras() & {name.partition(".")[0] for name in re.findall(r"(?:from|import) (\S+)", text)}, (
                source
            )

    def test_agree_on_every_version(self) -> None:
        base = lock("base")

        for other in ("dev", "ccxt", "yfinance", "deep"):
            assert {name: found for name, found in lock(other).items() if base.get(name, found) != found} == {}
        assert base.keys() <= lock("dev").keys()

    @pytest.mark.parametrize("name", ["base", "dev", "ccxt", "yfinance", "data", "uv", "node"])
    def test_carry_a_hash_for_every_package(self, name: str) -> None:
        entries = re.split(r"\n(?=[A-Za-z0-9])", (stamps.LOCKS / f"{name}.lock").read_text())
        pinned = [entry for entry in entries if re.match(r"[A-Za-z0-9._-]+==", entry)]

        assert pinned
        assert [entry for entry in pinned if "--hash=sha256:" not in entry] == []

    def test_leave_torch_out_of_the_base(self) -> None:
        assert "torch" not in lock("base")
        assert "torch" in lock("deep")


class TestFrontEnd:
    def test_is_there_byte_for_byte(self) -> None:
        files = front_end.read_manifest(front_end.MANIFEST)

        assert [file.name for file in files if not file.is_served(front_end.VENDOR)] == []

    def test_brings_the_licence_of_each_package(self) -> None:
        files = front_end.read_manifest(front_end.MANIFEST)
        packages = {re.match(r"(@[^/]+/)?[^/]+", file.source) for file in files}
        licensed = {file.source.removesuffix("/LICENSE") for file in files if file.source.endswith("/LICENSE")}

        assert {package[0] for package in packages if package} == licensed

    def test_refuses_altered_bytes_and_keeps_what_was_served(self, tmp_path: Path) -> None:
        vendor, packages = tmp_path / "vendor", tmp_path / "packages"
        vendor.mkdir()
        packages.mkdir()
        (vendor / "served.js").write_text("good")
        (packages / "new.js").write_text("altered on the way")
        expected = front_end.VendorFile(sha256="0" * 64, source="new.js", name="new.js")

        with pytest.raises(front_end.FrontEndError, match=r"new\.js hashes to .* not used"):
            front_end.copy_checked([expected], packages=packages, vendor=vendor)

        assert [path.name for path in vendor.iterdir()] == ["served.js"]


class TestRecordedHistory:
    @pytest.mark.parametrize(
        ("package", "file"),
        [
            ("bokeh_sampledata", "_data/stocks.csv.gz"),
            ("gym_anytrading", "datasets/data/FOREX_EURUSD_1H_ASK.csv"),
        ],
    )
    def test_is_found_without_importing_its_package(self, package: str, file: str) -> None:
        spec = importlib.util.find_spec(package)

        assert spec is not None
        assert [Path(place, file).is_file() for place in spec.submodule_search_locations or ()] == [True]
        assert package not in sys.modules
