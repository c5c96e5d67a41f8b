"""The bill of materials: a CycloneDX document of all that is pinned, with its hashes.

It is made of the locks alone, so that it is the same on every machine: what a platform or a version
of Python does without is in it too, with its marker as the property ``usage:marker``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from release.locked import Pinned

LICENSE = "Apache-2.0"
PROGRAM, READER = "usage-pipeline", "usage-pipeline-native"

_ALGORITHMS = {
    "pypi": HashAlgorithm.SHA_256,
    "cargo": HashAlgorithm.SHA_256,
    "npm": HashAlgorithm.SHA_512,
}


def document(version: str, epoch: int, pinned: Iterable[Pinned]) -> str:
    """Return the document as JSON of CycloneDX 1.6: same arguments, same bytes.

    Args:
        version: of the program, and of the compiled reader.
        epoch: when it was made, in seconds since 1970.
        pinned: everything that either is built of or installed with.
    """
    program, reader = _own(PROGRAM, version), _own(READER, version)
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"pkg:pypi/{PROGRAM}@{version}?epoch={epoch}"),
        components=[reader],
    )
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.metadata.component = program
    all_pinned = list(pinned)
    made = {one: _component(one) for one in all_pinned}
    bom.components.update(made.values())
    named = {(one.ecosystem, one.name): component for one, component in made.items()}
    for one, component in made.items():
        needs = [named[one.ecosystem, name] for name in one.needs]
        bom.register_dependency(component, needs)
    # A crate is the compiled reader's, all else the program's.
    bom.register_dependency(reader, [made[one] for one in made if one.ecosystem == "cargo"])
    others = [made[one] for one in made if one.ecosystem != "cargo"]
    bom.register_dependency(program, [reader, *others])
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _own(name: str, version: str) -> Component:
    purl = PackageURL("pypi", name=name, version=version)
    return Component(
        name=name,
        version=version,
        type=ComponentType.APPLICATION if name == PROGRAM else ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        licenses=[DisjunctiveLicense(id=LICENSE)],
    )


def _component(one: Pinned) -> Component:
    purl = PackageURL(one.ecosystem, name=one.name, version=one.version)
    hashes = [HashType(alg=_ALGORITHMS[one.ecosystem], content=text) for text in one.hashes]
    is_one_file = one.ecosystem != "pypi"
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        hashes=hashes if is_one_file else [],
        # A component's hashes are of one file; a release on PyPI is several.
        external_references=[]
        if is_one_file
        else [
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(purl.to_string()),
                hashes=hashes,
                comment="one SHA-256 for each of the release's files",
            )
        ],
        properties=[Property(name="usage:marker", value=one.when)] if one.when else [],
    )
