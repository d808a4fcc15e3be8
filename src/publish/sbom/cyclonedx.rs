//! CycloneDX 1.6: the image as what the document is about, its parts, and what needs what.

use serde_json::{Value, json};

use super::contents::{Part, Sbom, TOOL, uuid};
use super::known::{Known, State};
use super::purl;
use crate::base::date::rfc3339;
use crate::base::digest::Digest;

const IMAGE: &str = "image";

pub(super) fn document(sbom: &Sbom<'_>) -> Value {
    let about = sbom.about;
    let mut components: Vec<Value> = sbom
        .parts
        .iter()
        .map(|part| {
            let kind = match sbom.is_needed(part) {
                true => "library",
                false => "application",
            };
            component(part, kind, "required")
        })
        .collect();
    let mut compiler = component(&sbom.compiler, "application", "excluded");
    compiler["description"] = "The compiler; none of its libraries is linked into a program".into();
    components.push(compiler);

    let all: Vec<&str> = sbom.parts.iter().map(|part| part.name).collect();
    let mut dependencies = vec![json!({ "ref": IMAGE, "dependsOn": all })];
    let each = sbom.parts.iter();
    dependencies.extend(each.map(|part| json!({ "ref": part.name, "dependsOn": part.needs })));

    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "",
        "version": 1,
        "metadata": {
            "timestamp": rfc3339(about.epoch),
            "tools": {
                "components": [{ "type": "application", "name": TOOL.0, "version": TOOL.1 }],
            },
            "component": {
                "type": "container",
                "bom-ref": IMAGE,
                "name": "relaysmith/tor",
                "version": about.tag(),
                "hashes": [hash(&sbom.image)],
                "licenses": [{ "expression": about.licenses() }],
                "purl": purl::image(about, &sbom.image),
            },
        },
        "components": components,
        "dependencies": dependencies,
    });
    let known: Vec<Value> = sbom.known.iter().flat_map(vulnerabilities).collect();
    if !known.is_empty() {
        document["vulnerabilities"] = known.into();
    }
    document["serialNumber"] = uuid(&document).into();
    document
}

/// One entry for each number that upstream gave, or one without a number.
fn vulnerabilities(one: &Known) -> Vec<Value> {
    let publisher = match one.component.as_str() {
        "tor" => "Tor Project",
        _ => "CVE",
    };
    let entry = |number: Option<&String>| {
        let mut analysis = json!({ "state": one.state, "detail": one.detail });
        if let Some(justification) = one.justification {
            analysis["justification"] = json!(justification);
        }
        if one.state != State::NotAffected {
            analysis["response"] = json!(["update"]);
        }
        let mut entry = json!({
            "source": { "name": publisher },
            "ratings": [{ "severity": one.severity.as_deref().unwrap_or("unknown") }],
            "description": format!("{} ({})", one.what, one.source),
            "recommendation": format!("Update {} to {} or later", one.component, one.fixed),
            "analysis": analysis,
            "affects": [{ "ref": one.component }],
        });
        if let Some(number) = number {
            entry["id"] = number.as_str().into();
        }
        entry
    };
    match one.ids.as_slice() {
        [] => vec![entry(None)],
        ids => ids.iter().map(|number| entry(Some(number))).collect(),
    }
}

fn component(part: &Part<'_>, kind: &str, scope: &str) -> Value {
    let signed = part.signed().into_iter().map(|text| ("signature", text));
    let patches = part.patches.iter();
    let patched = patches.map(|(path, digest)| ("patch", format!("{path} {digest}")));
    let properties: Vec<Value> = signed
        .chain(patched)
        .map(|(name, value)| json!({ "name": format!("relaysmith:{name}"), "value": value }))
        .collect();
    let mut component = json!({
        "type": kind,
        "bom-ref": part.name,
        "name": part.name,
        "version": part.version,
        "scope": scope,
        "licenses": [{ "expression": part.license }],
        "purl": purl::own(part.name, part.version),
        "properties": properties,
    });
    if let Some(source) = part.source {
        let hashes = json!([hash(&source.digest)]);
        let address = purl::address(source).map(str::to_owned);
        let places = address.into_iter().chain(purl::carriers(source));
        let references = places
            .map(|place| json!({ "type": "source-distribution", "url": place, "hashes": hashes }));
        component["externalReferences"] = references.collect();
        component["hashes"] = hashes;
        component["purl"] = purl::source(source).into();
    }
    if !part.patches.is_empty() {
        let patches = part
            .patches
            .iter()
            .map(|(path, _)| json!({ "type": "unofficial", "diff": { "url": path } }));
        component["pedigree"] = json!({ "patches": patches.collect::<Vec<_>>() });
    }
    component
}

fn hash(digest: &Digest) -> Value {
    let algorithm = match digest {
        Digest::Sha256(_) => "SHA-256",
        Digest::Sha512(_) => "SHA-512",
    };
    json!({ "alg": algorithm, "content": digest.hex() })
}
