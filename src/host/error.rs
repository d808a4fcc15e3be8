//! The ways in which the containers around a torrc cannot be written.

/// Why there is no service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value that a torrc's own parameters share.
    #[error(transparent)]
    Torrc(#[from] torrc::Error),
    /// An image that is not named by its digest.
    #[error("image `{given}`: {reason}")]
    Image {
        /// As given.
        given: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A path that compose files, command lines and units cannot all express.
    #[error("path `{given}`: {reason}")]
    HostPath {
        /// The path.
        given: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A torrc with which tor does not start, or the relay is of no use.
    #[error("{file}: {first}")]
    Faulty {
        /// The torrc.
        file: String,
        /// The first error in it.
        first: String,
    },
    /// A torrc without a port that could be published.
    #[error("{file}: there is no fixed port to publish")]
    NoPort {
        /// The torrc.
        file: String,
    },
    /// Two relays of one name.
    #[error("{first} and {second} have the same nickname, `{name}`")]
    SameName {
        /// The nickname.
        name: String,
        /// One torrc.
        first: String,
        /// The other.
        second: String,
    },
    /// Two public relays of one operator that no family connects.
    #[error("{first} and {second} are run by the same people, and no family says so")]
    NoFamily {
        /// One torrc.
        first: String,
        /// The other.
        second: String,
    },
    /// An image that only this machine has.
    #[error("{image} is an image on this machine only, so {for_what} cannot use it")]
    LocalImage {
        /// The image.
        image: String,
        /// Who needs it.
        for_what: &'static str,
    },
    /// A password in what a cluster shows to whoever may read its configuration.
    #[error(
        "{torrc} has `{option}`, which does not belong in a ConfigMap: too many people can read it"
    )]
    Secret {
        /// The torrc.
        torrc: String,
        /// The option.
        option: &'static str,
    },
    /// What is no network of IPv6 addresses.
    #[error("`{given}` is not an IPv6 network such as fd00:1:2::/64, whose address ends in zeros")]
    Subnet {
        /// As given.
        given: String,
    },
    /// A relay that answers no Prometheus.
    #[error("{relay} does not answer a Prometheus in another container")]
    NoMetrics {
        /// The relay.
        relay: String,
    },
    /// Relays that answer Prometheus in different networks.
    #[error("{first} and {second} answer Prometheus in different networks")]
    MetricsNetworks {
        /// One relay.
        first: String,
        /// The other.
        second: String,
    },
    /// A notice where nothing leaves the network.
    #[error("none of the relays is an exit, so there is nothing to give notice of")]
    NoExit,
    /// Addresses that do not go around.
    #[error("--bind is given {given} times for {relays} relays")]
    Binds {
        /// How often.
        given: usize,
        /// How many relays there are.
        relays: usize,
    },
    /// One port for two things.
    #[error("port {port} is given to {first} and to {second}")]
    PortTwice {
        /// The port.
        port: u16,
        /// Who has it.
        first: String,
        /// Who wants it too.
        second: String,
    },
}

impl Error {
    /// What fixes it, where that is more than the message says.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Torrc(error) => return error.hint(),
            Self::Image { .. } => {
                "name it by digest: NAME@sha256:…, or for an image that was loaded, the \
                 sha256:… that `docker image inspect --format '{{.Id}}' NAME` prints"
                    .to_owned()
            }
            Self::Faulty { file, .. } => {
                format!("`cargo xtask check-torrc {file}` lists all of them")
            }
            Self::NoPort { .. } => "write a number after `ORPort`: `ORPort 9001`".to_owned(),
            Self::SameName { .. } => "give each relay a --nickname of its own".to_owned(),
            Self::NoFamily { .. } => {
                "make a family key with `cargo xtask family NAME --out family`, and give each torrc the same \
                 --family-id; or give each the other's fingerprint with --my-family"
                    .to_owned()
            }
            Self::PortTwice { .. } => {
                "give one of them another port, or each an address of the host with --bind"
                    .to_owned()
            }
            Self::LocalImage { .. } => {
                "push it to a registry, and name it there: --image NAME@sha256:…".to_owned()
            }
            Self::Secret { option, .. } => match *option {
                "HashedControlPassword" => "delete the line: inside the pod, `arm` and the health check use tor's cookie",
                _ => "delete the line, and reach the proxy without a password",
            }
            .to_owned(),
            Self::Binds { .. } => {
                "give it once for all relays, or once for each in the order of their torrcs"
                    .to_owned()
            }
            Self::NoMetrics { .. } => {
                "write its torrc with --metrics, or add the lines `MetricsPort 0.0.0.0:9035` and \
                 `MetricsPortPolicy accept 10.90.35.0/24`"
                    .to_owned()
            }
            Self::MetricsNetworks { .. } => {
                "accept the same network with MetricsPortPolicy in each torrc".to_owned()
            }
            Self::HostPath { .. } | Self::Subnet { .. } | Self::NoExit => return None,
        };
        Some(hint)
    }
}
