"""The wheel holds the package with its types, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_wheel(tmp_path: Path) -> None:
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    built = subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, text=True)
    names = zipfile.ZipFile(tmp_path / built.stdout.split()[-1]).namelist()
    sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*") if path.suffix in {".py", ".typed"}}
    assert {name for name in names if not name.startswith("skald_participants-")} == sources
    assert "skald/py.typed" in names
