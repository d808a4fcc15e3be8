//! What the steps of a build gave for one target: the parts of an image, and their record.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::base::target::Target;
use crate::build::outputs::{self, Built};
use crate::build::plan::{Plan, Step};
use crate::build::recipe::{Artifact, StepId};
use crate::image::{About, Arm, Image, Licenses, Obfs4, OwnLayer, Parts};
use crate::record::{self, Record};

/// What the steps for one target gave.
pub(super) struct Gathered<'a> {
    pub(super) plan: &'a Plan,
    pub(super) target: Target,
    pub(super) built: &'a BTreeMap<usize, Built>,
}

impl Gathered<'_> {
    fn of(&self, step: StepId) -> Option<&Built> {
        self.built.get(&self.plan.place_for(step, self.target)?)
    }

    /// Where `artifact` lies, whose step the image wants.
    fn artifact(&self, artifact: Artifact) -> Result<PathBuf, outputs::Error> {
        let (step, path) = (artifact.step, artifact.path);
        let built = self.of(step);
        built
            .ok_or(outputs::Error::Missing { step, path })?
            .artifact(artifact)
    }

    /// The files that go into the image.
    pub(super) fn parts(&self) -> Result<Parts, outputs::Error> {
        let mut licenses = [Licenses::new(), Licenses::new(), Licenses::new()];
        let only_for = |name| self.plan.only_for(name, self.target);
        let (for_arm, for_obfs4) = (only_for(StepId::Nyx), only_for(StepId::Lyrebird));
        let components = self.plan.components(self.target);
        // What is ours alone has the project's license.
        for step in components.filter(|step| step.source().is_some()) {
            let folder = self.artifact(Artifact::licenses(step.name))?;
            let licenses = match step.name {
                name if for_arm.contains(&name) => &mut licenses[1],
                name if for_obfs4.contains(&name) => &mut licenses[2],
                _ => &mut licenses[0],
            };
            for entry in fs_err::read_dir(folder)? {
                let entry = entry?;
                licenses.insert(
                    entry.file_name().to_string_lossy().into_owned(),
                    entry.path(),
                );
            }
        }
        let [licenses, of_arm, of_obfs4] = licenses;
        let own = |steps: &[StepId], licenses| OwnLayer {
            licenses,
            epoch: self.plan.newest(steps).unwrap_or(self.plan.epoch),
        };
        let arm = match self.of(StepId::Nyx) {
            None => None,
            Some(_) => Some(Arm {
                program: self.artifact(Artifact::NYX)?,
                library: self.artifact(Artifact::NYX_LIBRARY)?,
                own: own(&for_arm, of_arm),
            }),
        };
        let obfs4 = match self.of(StepId::Lyrebird) {
            None => None,
            Some(_) => Some(Obfs4 {
                program: self.artifact(Artifact::LYREBIRD)?,
                own: own(&for_obfs4, of_obfs4),
            }),
        };
        Ok(Parts {
            tor: self.artifact(Artifact::TOR)?,
            start: self.artifact(Artifact::START)?,
            health: self.artifact(Artifact::HEALTH)?,
            geoip: self.artifact(Artifact::GEOIP)?,
            geoip6: self.artifact(Artifact::GEOIP6)?,
            licenses,
            arm,
            obfs4,
        })
    }

    /// All digests of a build.
    pub(super) fn record(&self, about: &About, image: &Image) -> Result<Record, String> {
        let packages = self.plan.packages.as_ref();
        let source = packages.map_or(self.plan.named(&self.plan.zig), |it| &it.index);
        let toolchain = record::ToolchainRecord {
            name: self.plan.toolchain().to_string(),
            version: self.plan.compiler_version().to_owned(),
            digest: source.digest,
        };
        let mut facts = record::Facts::new(
            &about.version,
            about.target,
            about.uid,
            about.epoch,
            toolchain,
        );
        let components = || self.plan.components(self.target);
        for step in components() {
            if let Some(source) = step.source() {
                let pin = record::PinRecord {
                    version: source.version.clone(),
                    digest: source.digest,
                };
                facts.sources.insert(source.name.clone(), pin);
            }
            if let Some(built) = self.of(step.name) {
                facts.components.push(record::ComponentRecord::new(
                    step.name.as_str(),
                    built.files().clone(),
                ));
            }
        }
        let names = components().map(|step| step.name.as_str());
        let go = self.plan.go().and_then(Step::source);
        let go = go
            .map(|go| self.plan.named(go))
            .map(|go| record::ToolchainRecord {
                name: go.name.clone(),
                version: go.version.clone(),
                digest: go.digest,
            });
        let image = record::ImageRecord::new(image, names, go);
        facts.images.insert(about.variant, image);
        Record::new(facts)
    }
}
