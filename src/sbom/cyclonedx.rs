//! CycloneDX 1.6: the image as what the document is about, its parts, and what needs what.

use serde_json::{Value, json};

use super::{Bill, Part, TOOL, purl, uuid};
use crate::date::rfc3339;
use crate::digest::Digest;

const IMAGE: &str = "image";

pub(super) fn document(bill: &Bill<'_>) -> Value {
    let about = bill.about;
    let mut components: Vec<Value> = bill
        .parts
        .iter()
        .map(|part| {
            let kind = match bill.is_needed(part) {
                true => "library",
                false => "application",
            };
            component(part, kind, "required")
        })
        .collect();
    let mut compiler = component(&bill.compiler, "application", "excluded");
    compiler["description"] =
        "The compiler; the C library that it carries, musl, is in every program".into();
    components.push(compiler);

    let all: Vec<&str> = bill.parts.iter().map(|part| part.name).collect();
    let mut dependencies = vec![json!({ "ref": IMAGE, "dependsOn": all })];
    let each = bill.parts.iter();
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
                "hashes": [hash(&bill.image)],
                "licenses": [{ "expression": about.licences() }],
                "purl": purl::image(about, &bill.image),
            },
        },
        "components": components,
        "dependencies": dependencies,
    });
    document["serialNumber"] = uuid(&document).into();
    document
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
        "licenses": [{ "expression": part.licence }],
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
