//! Who answers an exit's questions for addresses: whoever does sees where its users go.

use std::net::IpAddr;

use super::Check;

const NAME: &str = "resolver";

/// Resolvers that answer all the world.
const PUBLIC: &[&str] = &[
    "8.8.8.8",
    "8.8.4.4",
    "1.1.1.1",
    "1.0.0.1",
    "9.9.9.9",
    "149.112.112.112",
    "208.67.222.222",
    "208.67.220.220",
    "2001:4860:4860::8888",
    "2001:4860:4860::8844",
    "2606:4700:4700::1111",
    "2606:4700:4700::1001",
    "2620:fe::fe",
];

/// The resolver that an exit's container gets from this machine's `/etc/resolv.conf`.
pub fn resolver() -> Check {
    let text = fs_err::read_to_string("/etc/resolv.conf").ok();
    of(text.as_deref())
}

pub(super) fn of(text: Option<&str>) -> Check {
    const FIX: &str = "run a validating, caching resolver such as unbound on this machine, and \
                        put its address into /etc/resolv.conf";
    let servers: Vec<IpAddr> = text
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok())
        .collect();
    let Some(first) = servers.first() else {
        return Check::warn(
            NAME,
            "/etc/resolv.conf names no resolver, and an exit resolves names for its users",
            FIX,
        );
    };
    if let Some(open) = servers.iter().find(|ip| PUBLIC.contains(&&*ip.to_string())) {
        return Check::warn(
            NAME,
            format!("{open} is a public resolver: it sees where the users of many exits go"),
            FIX,
        );
    }
    Check::ok(NAME, format!("{first} resolves names for the exit"))
}
