//! Keys, certificates and signatures made on the spot, each with the flaw it is for.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use relaysmith::base::digest::Digest;
use relaysmith::fetch::Fetched;
use relaysmith::pins::{Signature as Evidence, Size, Source};
use relaysmith::verify::{Error, TrustPolicy, Verdict, Verified, verify};
use sequoia_openpgp::armor::Kind;
use sequoia_openpgp::cert::{CertRevocationBuilder, SubkeyRevocationBuilder};
use sequoia_openpgp::crypto::KeyPair;
use sequoia_openpgp::packet::key::{Key4, PrimaryRole, SecretParts, SubordinateRole};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::signature::subpacket::{Subpacket, SubpacketTag, SubpacketValue};
use sequoia_openpgp::packet::{Key, Signature, UserID};
use sequoia_openpgp::serialize::{Marshal, SerializeInto};
use sequoia_openpgp::types::{
    Curve, HashAlgorithm, KeyFlags, ReasonForRevocation, RevocationKey, SignatureType,
};
use sequoia_openpgp::{Cert, Packet};
use tempfile::TempDir;

/// The file that everybody signs: as text it has a line end of each kind.
pub(crate) const FILE: &[u8] = b"a tarball\nof two\r\nlines";

/// The start of a year in UTC.
pub(crate) fn year(year: u64) -> SystemTime {
    let leap = |y: u64| y / 4 - y / 100 + y / 400;
    let days = 365 * (year - 1970) + leap(year - 1) - leap(1969);
    UNIX_EPOCH + Duration::from_secs(days * 86_400)
}

/// What every policy here takes for today.
pub(crate) fn now() -> SystemTime {
    year(2026)
}

/// How a certificate is to be made: a primary key and a subkey for signing.
#[derive(Clone)]
pub(crate) struct Recipe {
    pub(crate) created: SystemTime,
    pub(crate) expires: Option<SystemTime>,
    pub(crate) sub_created: SystemTime,
    pub(crate) sub_expires: Option<SystemTime>,
    pub(crate) sub_flags: KeyFlags,
    pub(crate) bindings: HashAlgorithm,
    pub(crate) back_signature: bool,
    pub(crate) rsa: bool,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            created: year(2010),
            expires: None,
            sub_created: year(2012),
            sub_expires: None,
            sub_flags: KeyFlags::empty().set_signing(),
            bindings: HashAlgorithm::SHA256,
            back_signature: true,
            rsa: false,
        }
    }
}

/// Somebody with a certificate and the secret keys to it.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) cert: Cert,
    pub(crate) primary: KeyPair,
    pub(crate) subkey: KeyPair,
    sub: Key<SecretParts, SubordinateRole>,
}

impl Recipe {
    pub(crate) fn make(&self) -> Person {
        let mut primary: Key<SecretParts, PrimaryRole> = self.key();
        primary.set_creation_time(self.created).unwrap();
        let mut signer = primary.clone().into_keypair().unwrap();
        let user = UserID::from("someone");
        let bound = SignatureBuilder::new(SignatureType::PositiveCertification)
            .set_hash_algo(self.bindings)
            .set_signature_creation_time(self.created)
            .unwrap()
            .set_key_flags(KeyFlags::empty().set_certification().set_signing())
            .unwrap()
            .set_key_validity_period(self.expires.map(|e| since(e, self.created)))
            .unwrap()
            .sign_userid_binding(&mut signer, None, &user)
            .unwrap();
        let cert = Cert::from_packets(
            [Packet::from(primary.clone()), user.into(), bound.into()].into_iter(),
        )
        .unwrap();
        let mut person = Person {
            cert,
            primary: signer,
            subkey: primary.into_keypair().unwrap(),
            sub: self.key(),
        };
        person.sub.set_creation_time(self.sub_created).unwrap();
        person.subkey = person.sub.clone().into_keypair().unwrap();
        self.bind(&mut person);
        person
    }

    fn key<R: sequoia_openpgp::packet::key::KeyRole>(&self) -> Key<SecretParts, R> {
        if self.rsa {
            Key4::generate_rsa(2048).unwrap().into()
        } else {
            Key4::generate_ecc(true, Curve::Ed25519).unwrap().into()
        }
    }

    fn bind(&self, person: &mut Person) {
        let primary = person.cert.primary_key().key().clone();
        // A key may be older than the certificate that takes it in.
        let bound = self.sub_created.max(self.created);
        let mut binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
            .set_hash_algo(self.bindings)
            .set_signature_creation_time(bound)
            .unwrap()
            .set_key_flags(self.sub_flags.clone())
            .unwrap()
            .set_key_validity_period(self.sub_expires.map(|e| since(e, self.sub_created)))
            .unwrap();
        if self.back_signature {
            let back = SignatureBuilder::new(SignatureType::PrimaryKeyBinding)
                .set_hash_algo(self.bindings)
                .set_signature_creation_time(bound)
                .unwrap()
                .sign_primary_key_binding(&mut person.subkey, &primary, &person.sub)
                .unwrap();
            binding = binding.set_embedded_signature(back).unwrap();
        }
        let binding = binding
            .sign_subkey_binding(&mut person.primary, &primary, &person.sub)
            .unwrap();
        person.insert([Packet::from(person.sub.clone()), binding.into()]);
    }
}

fn since(later: SystemTime, earlier: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap()
}

impl Person {
    fn insert(&mut self, packets: impl IntoIterator<Item = Packet>) {
        let packets: Vec<Packet> = packets.into_iter().collect();
        self.cert = self.cert.clone().insert_packets(packets).unwrap().0;
    }

    /// A second subkey; the first is returned beside it.
    pub(crate) fn with_another_subkey(mut self, recipe: &Recipe) -> (Self, KeyPair) {
        let first = self.subkey.clone();
        self.sub = recipe.key();
        self.sub.set_creation_time(recipe.sub_created).unwrap();
        self.subkey = self.sub.clone().into_keypair().unwrap();
        recipe.bind(&mut self);
        (self, first)
    }

    /// The same keys under a certificate that was revoked.
    pub(crate) fn revoked(mut self, at: SystemTime, reason: ReasonForRevocation) -> Self {
        let revocation = CertRevocationBuilder::new()
            .set_signature_creation_time(at)
            .unwrap()
            .set_reason_for_revocation(reason, b"")
            .unwrap()
            .build(&mut self.primary, &self.cert, None)
            .unwrap();
        self.insert([revocation.into()]);
        self
    }

    /// The same keys under a certificate that lets `other` revoke it.
    pub(crate) fn naming_revoker(mut self, other: &Self) -> Self {
        let key = other.cert.primary_key();
        let revoker = RevocationKey::new(key.key().pk_algo(), key.key().fingerprint(), false);
        let primary = self.cert.primary_key().key().clone();
        let direct = builder(year(2015), HashAlgorithm::SHA256, SignatureType::DirectKey)
            .set_revocation_key(revoker)
            .unwrap()
            .sign_direct_key(&mut self.primary, Some(primary.role_as_primary()))
            .unwrap();
        self.insert([direct.into()]);
        self
    }

    /// The same keys under a certificate that `other` revoked.
    pub(crate) fn revoked_by(
        mut self,
        other: &Self,
        at: SystemTime,
        reason: ReasonForRevocation,
    ) -> Self {
        let revocation = CertRevocationBuilder::new()
            .set_signature_creation_time(at)
            .unwrap()
            .set_reason_for_revocation(reason, b"")
            .unwrap()
            .build(&mut other.primary.clone(), &self.cert, None)
            .unwrap();
        self.insert([revocation.into()]);
        self
    }

    /// The same keys under a certificate whose revocation says something critical that nobody
    /// has defined.
    pub(crate) fn revoked_with_critical(mut self, at: SystemTime) -> Self {
        let value = SubpacketValue::Unknown {
            tag: SubpacketTag::Unknown(99),
            body: vec![1],
        };
        let primary = self.cert.primary_key().key().clone();
        let revocation = builder(at, HashAlgorithm::SHA256, SignatureType::KeyRevocation)
            .modify_hashed_area(|mut area| {
                area.add(Subpacket::new(value, true)?)?;
                Ok(area)
            })
            .unwrap()
            .sign_direct_key(&mut self.primary, Some(primary.role_as_primary()))
            .unwrap();
        self.insert([revocation.into()]);
        self
    }

    /// The same keys, but the subkey was revoked.
    pub(crate) fn subkey_revoked(mut self, at: SystemTime, reason: ReasonForRevocation) -> Self {
        let sub = self.sub.clone().take_secret().0;
        let revocation = SubkeyRevocationBuilder::new()
            .set_signature_creation_time(at)
            .unwrap()
            .set_reason_for_revocation(reason, b"")
            .unwrap()
            .build(&mut self.primary, &self.cert, &sub, None)
            .unwrap();
        self.insert([revocation.into()]);
        self
    }

    /// A signature over `FILE` by the subkey.
    pub(crate) fn sign(&self, made: SystemTime) -> Signature {
        signed(
            &self.subkey,
            made,
            HashAlgorithm::SHA512,
            SignatureType::Binary,
            FILE,
        )
    }

    pub(crate) fn fingerprint(&self) -> String {
        self.cert.fingerprint().to_hex()
    }

    /// The certificate as it is published.
    pub(crate) fn armored(&self) -> Vec<u8> {
        let public = self.cert.clone().strip_secret_key_material();
        public.armored().to_vec().unwrap()
    }
}

/// A signature over `data`.
pub(crate) fn signed(
    key: &KeyPair,
    made: SystemTime,
    hash: HashAlgorithm,
    kind: SignatureType,
    data: &[u8],
) -> Signature {
    builder(made, hash, kind)
        .sign_message(&mut key.clone(), data)
        .unwrap()
}

pub(crate) fn builder(
    made: SystemTime,
    hash: HashAlgorithm,
    kind: SignatureType,
) -> SignatureBuilder {
    SignatureBuilder::new(kind)
        .set_hash_algo(hash)
        .set_signature_creation_time(made)
        .unwrap()
}

/// Signatures as a file, in one block of armor.
pub(crate) fn armored<'a>(signatures: impl IntoIterator<Item = &'a Signature>) -> Vec<u8> {
    let mut writer = sequoia_openpgp::armor::Writer::new(Vec::new(), Kind::Signature).unwrap();
    for signature in signatures {
        Packet::from(signature.clone())
            .serialize(&mut writer)
            .unwrap();
    }
    writer.finalize().unwrap()
}

/// A folder of keys that pins some people for the source `thing`.
pub(crate) struct Keys {
    pub(crate) dir: TempDir,
    /// The lines of the rule, after its signers.
    pub(crate) rule: String,
}

impl Keys {
    /// `threshold` of `people`, whose ids are `a`, `b` and so on.
    pub(crate) fn pin(people: &[&Person], threshold: usize) -> Self {
        let certificates: Vec<(String, Vec<u8>)> = people
            .iter()
            .map(|p| (p.fingerprint(), p.armored()))
            .collect();
        Self::pin_files(&certificates, threshold)
    }

    /// As `pin`, from fingerprints and the bytes of certificate files.
    pub(crate) fn pin_files(certificates: &[(String, Vec<u8>)], threshold: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir(dir.path().join("evidence")).unwrap();
        let mut text = "version = 1\n".to_owned();
        let mut ids = Vec::new();
        for (id, (fingerprint, bytes)) in ('a'..).zip(certificates) {
            fs_err::write(dir.path().join(format!("{id}.asc")), bytes).unwrap();
            text += &format!(
                "[[signer]]\nid = \"{id}\"\nname = \"{}\"\nfingerprint = \"{fingerprint}\"\n\
                 certificate = \"{id}.asc\"\n",
                id.to_uppercase()
            );
            ids.push(format!("\"{id}\""));
        }
        let rule = format!(
            "[[source]]\nname = \"thing\"\nsigners = [{}]\nthreshold = {threshold}\n",
            ids.join(", ")
        );
        fs_err::write(dir.path().join("trust.toml"), text).unwrap();
        Self { dir, rule }
    }

    /// Overlooks something in the signatures of `a`.
    pub(crate) fn allow(mut self, what: &str) -> Self {
        self.rule += &format!("[[source.allow]]\nsigner = \"a\"\n{what}\nreason = \"we know\"\n");
        self
    }

    pub(crate) fn policy(&self) -> Result<TrustPolicy, Error> {
        let path = self.dir.path().join("trust.toml");
        let head = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, head.clone() + &self.rule).unwrap();
        let policy = TrustPolicy::load_at(self.dir.path(), now());
        fs_err::write(&path, head).unwrap();
        policy
    }

    pub(crate) fn evidence(&self, name: &str, bytes: &[u8]) {
        fs_err::write(self.dir.path().join("evidence").join(name), bytes).unwrap();
    }

    /// Leaves only `a` among the signers of `thing`; the others stay pinned.
    pub(crate) fn only_a(mut self) -> Self {
        self.rule = self.rule.replace("[\"a\", \"b\"]", "[\"a\"]");
        self
    }

    /// Verifies the source `thing`, which is `FILE`, by a signature file.
    pub(crate) fn verify(&self, signature: &[u8]) -> String {
        self.evidence("thing.asc", signature);
        self.verify_by(Evidence::Detached {
            signature: "thing.asc".to_owned(),
        })
    }

    /// Verifies the source `thing` by some evidence.
    pub(crate) fn verify_by(&self, evidence: Evidence) -> String {
        let result = self.result(evidence);
        self.shown(result.as_ref().map(Verified::verdict))
    }

    /// What `verify` says of the source `thing`.
    pub(crate) fn result(&self, evidence: Evidence) -> Result<Verified, Error> {
        let path = self.dir.path().join("thing-1.tar.gz");
        fs_err::write(&path, FILE).unwrap();
        let fetched = Fetched::check(&Arc::new(thing(evidence)), &path).unwrap();
        verify(&self.policy()?, fetched)
    }

    /// A verdict or an error as a person reads it.
    pub(crate) fn shown(&self, result: Result<&Verdict, &Error>) -> String {
        let text = match result {
            Ok(verdict) => {
                let mut text = verdict.conclusion().to_string();
                for finding in verdict.signatures() {
                    let signer = finding.signer.as_deref().or(finding.key.as_deref());
                    let signer = signer.unwrap_or("-");
                    text += &format!("; {signer}: {finding}");
                }
                text
            }
            Err(error) => format!("REFUSED {error}"),
        };
        text.replace(&self.dir.path().display().to_string(), "keys")
    }
}

/// The pin of `FILE`.
pub(crate) fn thing(signature: Evidence) -> Source {
    Source {
        name: "thing".to_owned(),
        version: "1".to_owned(),
        machine: None,
        file: "thing-1.tar.gz".to_owned(),
        digest: Digest::sha256(FILE),
        size: Size::Exactly(FILE.len() as u64),
        unpacked: 1000,
        released: None,
        license: "MIT".to_owned(),
        signature,
        evidence: relaysmith::pins::Evidence::default(),
        patches: Vec::new(),
        origins: Vec::new(),
    }
}
