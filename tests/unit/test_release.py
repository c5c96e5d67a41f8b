"""A release: its version in one place, and its bill of materials."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.version import Version

from release import build, locked, sbom

ROOT = Path(__file__).parents[2]
EPOCH = 1_790_000_000


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_every_place_has_the_version_of_pyproject() -> None:
    """What to change with it; what is not named here takes it from there."""
    version = build.version()
    extras = tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"]
    assert extras["native"] == [f"usage-pipeline-native=={version}"]
    assert tomllib.loads(text("native/Cargo.toml"))["package"]["version"] == version
    assert re.findall(r"\nusage-pipeline-native (\S+) - ", text("native/crates.txt")) == [version]
    pages = text("docs/scaling.md") + text("deploy/kubernetes/kustomization.yaml")
    tags = re.findall(r'ref=v([\w.]+)|newTag: "(\S+)"', pages)
    assert {one or other for one, other in tags} == {version}


def test_the_changelog_is_of_releases_in_order_and_of_this_one() -> None:
    headings = re.findall(r"^## (.*)$", text("CHANGELOG.md"), re.MULTILINE)
    released = [one for one in headings if one != "Unreleased"]
    assert headings in (released, ["Unreleased", *released])
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ – \d{4}-\d\d-\d\d", one) for one in released)
    versions = [Version(one.split()[0]) for one in released]
    assert versions == sorted(set(versions), reverse=True)
    ours = Version(build.version())
    if headings == released:
        assert versions[0] == ours
    else:
        assert all(one < ours for one in versions), "raise the version: it is released"


@pytest.fixture(scope="module")
def document() -> str:
    return sbom.document("1.2.3", EPOCH, build.pinned())


def test_the_bill_of_materials_is_valid_and_the_same_again(document: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document) is None
    broken = document.replace('"SHA-256"', '"SHA-257"', 1)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None
    assert sbom.document("1.2.3", EPOCH, build.pinned()) == document


def test_it_has_all_that_is_pinned_with_hashes(document: str) -> None:
    found = json.loads(document)
    purls = {one["purl"] for one in found["components"]}
    pins = re.findall(r"^([\w.-]+)==(\S+)", text("requirements.lock"), re.MULTILINE)
    assert {f"pkg:pypi/{name}@{version}" for name, version in pins} < purls
    assert {"pkg:npm/preact@11.2.0", "pkg:npm/echarts@6.1.0"} < purls
    hashes = set(re.findall(r"sha256:([0-9a-f]{64})", text("requirements.lock")))
    assert hashes <= set(re.findall(r'"content": "([0-9a-f]{64})"', document))
    for one in found["components"]:
        hashed = [one, *one.get("externalReferences", ())]
        assert any(place.get("hashes") for place in hashed) or one["name"] == sbom.READER
    refs = {one["ref"] for one in found["dependencies"]}
    assert purls < refs, "each has a place in the graph"


def test_it_has_the_crates_that_are_built_in_and_not_those_of_tests(document: str) -> None:
    found = json.loads(document)
    crates = {one["name"] for one in found["components"] if one["purl"].startswith("pkg:cargo/")}
    assert {"pyo3", "zstd-sys", "libc", "bumpalo"} < crates
    assert not crates & {"proptest", "rand", "usage-pipeline-native"}


def test_the_page_s_tools_are_not_in_the_page() -> None:
    names = {one.name for one in locked.page(text("web/package-lock.json"))}
    assert names == {"echarts", "zrender", "tslib", "preact"}


def test_no_registry_is_named(document: str) -> None:
    assert not re.findall(r"pypi\.org|crates\.io|npmjs|https?://(?!cyclonedx\.org)", document)


def test_a_folder_is_emptied_of_releases_only(tmp_path: Path) -> None:
    earlier = ("usage_pipeline-0.0.1.tar.gz", "usage_pipeline_native-0.0.1-cp.whl", build.CHECKSUMS)
    for name in (*earlier, "letters"):
        (tmp_path / name).touch()
    with pytest.raises(build.Unbuildable, match="has letters, which is no release's file"):
        build.empty(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    (tmp_path / "letters").unlink()
    build.empty(tmp_path)
    assert not list(tmp_path.iterdir())
