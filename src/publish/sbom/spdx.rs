//! SPDX 2.3: a package for the image and one for each part, and how they are related.

use serde_json::{Value, json};

use super::contents::{Part, Sbom, TOOL, uuid};
use super::known::{Known, State};
use super::purl;
use crate::base::date::rfc3339;
use crate::base::digest::Digest;

const IMAGE: &str = "SPDXRef-image";

pub(super) fn document(sbom: &Sbom<'_>) -> Value {
    let about = sbom.about;
    let when = rfc3339(about.epoch);
    let tool = format!("Tool: {}-{}", TOOL.0, TOOL.1);
    let mut packages = vec![image(sbom)];
    let mut relationships = vec![related("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE)];
    for part in &sbom.parts {
        let mut package = package(part, &when, &tool);
        for one in sbom.known.iter().filter(|one| one.component == part.name) {
            let note = annotation(&when, &tool, "OTHER", vulnerability(one));
            if let Some(annotations) = package["annotations"].as_array_mut() {
                annotations.push(note);
            }
        }
        packages.push(package);
        relationships.push(related(IMAGE, "CONTAINS", &id(part.name)));
        for need in &part.needs {
            relationships.push(related(&id(part.name), "DEPENDS_ON", &id(need)));
        }
    }
    let mut compiler = package(&sbom.compiler, &when, &tool);
    compiler["comment"] = "The compiler; none of its libraries is linked into a program.".into();
    packages.push(compiler);
    let compiler = id(sbom.compiler.name);
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

fn image(sbom: &Sbom<'_>) -> Value {
    let about = sbom.about;
    json!({
        "name": "relaysmith/tor",
        "SPDXID": IMAGE,
        "versionInfo": about.tag(),
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "checksums": [checksum(&sbom.image)],
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": about.licenses(),
        "copyrightText": "NOASSERTION",
        "externalRefs": [reference(&purl::image(about, &sbom.image))],
    })
}

/// What is known against a part, in words: SPDX 2.3 has no others.
fn vulnerability(one: &Known) -> String {
    let state = match one.state {
        State::Exploitable | State::InTriage => "known to be vulnerable",
        State::NotAffected => "not affected",
    };
    let severity = one.severity.as_deref();
    let severity = severity.map_or_else(String::new, |word| format!("{word} severity; "));
    let mut ids = one.ids.join(", ");
    if !ids.is_empty() {
        ids += "; ";
    }
    let (what, fixed, detail) = (&one.what, &one.fixed, &one.detail);
    format!("{state}: {what} ({severity}{ids}fixed in {fixed}): {detail}")
}

fn annotation(when: &str, tool: &str, kind: &str, comment: String) -> Value {
    json!({
        "annotationDate": when,
        "annotationType": kind,
        "annotator": tool,
        "comment": comment,
    })
}

fn package(part: &Part<'_>, when: &str, tool: &str) -> Value {
    let annotation = |kind: &str, comment: String| annotation(when, tool, kind, comment);
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
        "licenseDeclared": part.license,
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
