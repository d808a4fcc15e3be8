//! SPDX 2.3: a package for the image and one for each part, and how they are related.

use serde_json::{Value, json};

use super::{Bill, Part, TOOL, purl, uuid};
use crate::date::rfc3339;
use crate::digest::Digest;

const IMAGE: &str = "SPDXRef-image";

pub(super) fn document(bill: &Bill<'_>) -> Value {
    let about = bill.about;
    let when = rfc3339(about.epoch);
    let tool = format!("Tool: {}-{}", TOOL.0, TOOL.1);
    let mut packages = vec![image(bill)];
    let mut relationships = vec![related("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE)];
    for part in &bill.parts {
        packages.push(package(part, &when, &tool));
        relationships.push(related(IMAGE, "CONTAINS", &id(part.name)));
        for need in &part.needs {
            relationships.push(related(&id(part.name), "DEPENDS_ON", &id(need)));
        }
    }
    let mut compiler = package(&bill.compiler, &when, &tool);
    compiler["comment"] =
        "The compiler; the C library that it carries, musl, is in every program.".into();
    packages.push(compiler);
    let compiler = id(bill.compiler.name);
    relationships.push(related(&compiler, "BUILD_TOOL_OF", IMAGE));

    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": about.reference(),
        "documentNamespace": "",
        "creationInfo": { "created": when, "creators": [tool] },
        "packages": packages,
        "relationships": relationships,
    });
    document["documentNamespace"] = uuid(&document).into();
    document
}

fn image(bill: &Bill<'_>) -> Value {
    let about = bill.about;
    json!({
        "name": "relaysmith/tor",
        "SPDXID": IMAGE,
        "versionInfo": about.tag(),
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "checksums": [checksum(&bill.image)],
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": about.licences(),
        "copyrightText": "NOASSERTION",
        "externalRefs": [reference(&purl::image(about, &bill.image))],
    })
}

fn package(part: &Part<'_>, when: &str, tool: &str) -> Value {
    let annotation = |kind: &str, comment: String| {
        json!({
            "annotationDate": when,
            "annotationType": kind,
            "annotator": tool,
            "comment": comment,
        })
    };
    let signed = part.signed().into_iter();
    let patches = part
        .patches
        .iter()
        .map(|(path, digest)| format!("patched by {path} ({digest})"));
    let annotations: Vec<Value> = signed
        .map(|comment| annotation("REVIEW", comment))
        .chain(patches.map(|comment| annotation("OTHER", comment)))
        .collect();
    let mut package = json!({
        "name": part.name,
        "SPDXID": id(part.name),
        "versionInfo": part.version,
        "downloadLocation": part.source.and_then(purl::address).unwrap_or("NOASSERTION"),
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": part.licence,
        "copyrightText": "NOASSERTION",
        "annotations": annotations,
    });
    let purl = match part.source {
        Some(source) => {
            package["packageFileName"] = source.file.clone().into();
            package["checksums"] = json!([checksum(&source.digest)]);
            purl::source(source)
        }
        None => purl::own(part.name, part.version),
    };
    let carriers = part.source.into_iter().flat_map(purl::carriers);
    let references = [purl].into_iter().chain(carriers);
    package["externalRefs"] = references.map(|purl| reference(&purl)).collect();
    package
}

/// SPDX lets letters, digits, dots and hyphens into an identifier.
fn id(name: &str) -> String {
    let plain = |letter: char| match letter.is_ascii_alphanumeric() || letter == '.' {
        true => letter,
        false => '-',
    };
    format!(
        "SPDXRef-part-{}",
        name.chars().map(plain).collect::<String>()
    )
}

fn related(from: &str, how: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": how, "relatedSpdxElement": to })
}

fn checksum(digest: &Digest) -> Value {
    json!({
        "algorithm": digest.algorithm().to_uppercase(),
        "checksumValue": digest.hex(),
    })
}

fn reference(purl: &str) -> Value {
    json!({
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": purl,
    })
}
