//! What is written, that nothing is found in it, and that it reads back.

use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::check::{Memory, Severity, check, parse};
use crate::{HashedPassword, Parameters, tor_is_here};

fn relay(role: Role, toml: &str) -> Relay {
    let least = "nickname = \"relay1\"\ncontact-email = \"ada@example.org\"\n";
    let parameters = Parameters::from_toml("relay.toml", &format!("{least}{toml}")).unwrap();
    parameters.relay(role).unwrap()
}

#[test]
fn the_least_of_each_role() {
    insta::assert_snapshot!(relay(Role::Middle, "").torrc(), @r"
    # The torrc of a middle relay, written by relaysmith. tor(1) explains every option.
    # Name, contact and address are published and archived for ever.
    Nickname relay1
    ContactInfo <ada@example.org>

    # All of tor's traffic. Publish the port under the same number.
    ORPort 9001 IPv4Only
    # A relay needs no port for tor's own users.
    SocksPort 0

    # No traffic leaves the network here.
    ExitRelay 0
    ExitPolicy reject *:*

    # Keys and state, in the volume: the relay is its keys, keep them.
    DataDirectory /tordata

    # For the health check and arm, inside the container. Never publish it.
    ControlSocket /tordata/control.sock
    CookieAuthentication 1
    ");
    insta::assert_snapshot!(relay(Role::Bridge, "").torrc(), @r"
    # The torrc of a bridge, written by relaysmith. tor(1) explains every option.
    # Name and contact are published and archived for ever.
    Nickname relay1
    ContactInfo <ada@example.org>

    # All of tor's traffic. Publish the port under the same number.
    ORPort 9001 IPv4Only
    # A relay needs no port for tor's own users.
    SocksPort 0

    # A bridge: not in the public list of relays.
    BridgeRelay 1
    # How it is handed out: any, none, https, email or settings.
    BridgeDistribution any

    # No traffic leaves the network here.
    ExitRelay 0
    ExitPolicy reject *:*

    # Keys and state, in the volume: the relay is its keys, keep them.
    DataDirectory /tordata

    # For the health check and arm, inside the container. Never publish it.
    ControlSocket /tordata/control.sock
    CookieAuthentication 1
    ");
    insta::assert_snapshot!(relay(Role::Exit, "").torrc(), @r"
    # The torrc of an exit relay, written by relaysmith. tor(1) explains every option.
    # Name, contact and address are published and archived for ever.
    Nickname relay1
    ContactInfo <ada@example.org>

    # All of tor's traffic. Publish the port under the same number.
    ORPort 9001 IPv4Only
    # A relay needs no port for tor's own users.
    SocksPort 0

    # An exit: what leaves it seems to come from its address.
    ExitRelay 1
    # Tor's own list of ports: most services, but not mail or file sharing.
    ReducedExitPolicy 1
    # A page that says what this is belongs on port 80 of the address. Serve it with
    # any web server: DirPortFrontPage needs a DirPort, which relays no longer have.

    # Keys and state, in the volume: the relay is its keys, keep them.
    DataDirectory /tordata

    # For the health check and arm, inside the container. Never publish it.
    ControlSocket /tordata/control.sock
    CookieAuthentication 1
    ");
}

/// Each direction may run at the full rate, and `sum` counts both.
#[test]
fn how_long_a_quota_lasts_depends_on_what_is_counted() {
    let last = |rule: &str| {
        let text = relay(
            Role::Middle,
            &format!("rate = \"100Mbit\"\naccounting-max = \"1TB\"\n{rule}"),
        );
        let torrc = text.torrc();
        let mut lines = torrc.lines();
        let line = lines.find(|line| line.starts_with("# At the full rate"));
        line.unwrap().to_owned()
    };
    let each = "# At the full rate it lasts 22 hours; 3.04 Mbit/s would last the month.";
    let both = "# At the full rate it lasts 11 hours; 1.52 Mbit/s would last the month.";
    assert_eq!(last(""), each);
    assert_eq!(last("accounting-rule = \"out\"\n"), each);
    assert_eq!(last("accounting-rule = \"sum\"\n"), both);
}

#[test]
fn everything_at_once() {
    let hashed = "16:AA505C72B8458347608261C6C04831185555B4BEB69785361613FA1D96";
    let common = format!(
        "contact-name = \"Ada #1\"\npgp = \"0123456789ABCDEF0123456789ABCDEF01234567\"\nciiss = true\n\
         address = \"relay.example.org\"\nipv6 = \"2001:db8::1\"\nor-port = 443\nrate = \"100Mbit\"\n\
         burst = \"200Mbit\"\naccounting-max = \"1TB\"\naccounting-start = \"month 1 00:00\"\n\
         control-port = 9051\nhashed-control-password = \"{hashed}\"\nmetrics-port = 9035\n\
         offline-master-key = true\n"
    );
    let exit = format!(
        "{common}exit-policy = \"web\"\nsandbox = true\n\
         family-id = [\"gIuZU4YkmBl1kjzzulzoTQ28i8VqQhWwDgrH94aUDZU\"]\n\
         my-family = [\"65E45DB4F4C312B8B23790937E6EB819204F67F3\"]\n"
    );
    insta::assert_snapshot!(relay(Role::Exit, &exit).torrc(), @r#"
    # The torrc of an exit relay, written by relaysmith. tor(1) explains every option.
    # Name, contact and address are published and archived for ever.
    Nickname relay1
    ContactInfo "Ada #1 email:ada[]example.org pgp:0123456789ABCDEF0123456789ABCDEF01234567 ciissversion:2"
    Address relay.example.org

    # All of tor's traffic. Publish the port under the same number.
    ORPort 443 IPv4Only
    # IPv6: the first line is what the network is told; the second is where tor
    # listens, since a container does not have the host's address.
    ORPort [2001:db8::1]:443 NoListen
    ORPort [::]:443 NoAdvertise
    # A relay needs no port for tor's own users.
    SocksPort 0

    # 100 Mbit/s in each direction, 200 Mbit/s at most. Tor's units are powers of two.
    RelayBandwidthRate 12207 KBytes
    RelayBandwidthBurst 24414 KBytes

    # 1 TB a month in either direction, then the relay sleeps until the next.
    # At the full rate it lasts 22 hours; 3.04 Mbit/s would last the month.
    AccountingMax 953674 MBytes
    # In the container's time, which is UTC.
    AccountingStart month 1 00:00

    # An exit: what leaves it seems to come from its address.
    ExitRelay 1
    IPv6Exit 1
    # The web and nothing else.
    ExitPolicy accept *:80        # HTTP
    ExitPolicy accept *:443       # HTTPS
    ExitPolicy reject *:*
    # A page that says what this is belongs on port 80 of the address. Serve it with
    # any web server: DirPortFrontPage needs a DirPort, which relays no longer have.

    # Relays of the same people: no circuit passes two of them.
    # The family's key belongs into the relay's keys directory.
    FamilyId gIuZU4YkmBl1kjzzulzoTQ28i8VqQhWwDgrH94aUDZU
    MyFamily 65E45DB4F4C312B8B23790937E6EB819204F67F3

    # Keys and state, in the volume: the relay is its keys, keep them.
    DataDirectory /tordata
    # The master key is elsewhere. Renew the signing key in time: tor --keygen
    OfflineMasterKey 1
    # Tor limits its own system calls.
    Sandbox 1

    # For the health check and arm, inside the container. Never publish it.
    ControlSocket /tordata/control.sock
    ControlPort 127.0.0.1:9051
    CookieAuthentication 1
    HashedControlPassword 16:AA505C72B8458347608261C6C04831185555B4BEB69785361613FA1D96

    # For Prometheus, inside the container. Never publish it: it harms users.
    MetricsPort 127.0.0.1:9035
    MetricsPortPolicy accept 127.0.0.1
    "#);
    let bridge = format!(
        "{common}bridge-distribution = \"settings\"\ncontrol-socket = \"/tordata/other.sock\"\n\
         transport = [\"obfs4=/usr/bin/lyrebird:8443\", \"webtunnel=/usr/bin/webtunnel\"]\n"
    );
    insta::assert_snapshot!(relay(Role::Bridge, &bridge).torrc(), @r#"
    # The torrc of a bridge, written by relaysmith. tor(1) explains every option.
    # Name and contact are published and archived for ever.
    Nickname relay1
    ContactInfo "Ada #1 email:ada[]example.org pgp:0123456789ABCDEF0123456789ABCDEF01234567 ciissversion:2"
    Address relay.example.org

    # All of tor's traffic. Publish the port under the same number.
    ORPort 443 IPv4Only
    # IPv6: the first line is what the network is told; the second is where tor
    # listens, since a container does not have the host's address.
    ORPort [2001:db8::1]:443 NoListen
    ORPort [::]:443 NoAdvertise
    # A relay needs no port for tor's own users.
    SocksPort 0

    # 100 Mbit/s in each direction, 200 Mbit/s at most. Tor's units are powers of two.
    RelayBandwidthRate 12207 KBytes
    RelayBandwidthBurst 24414 KBytes

    # 1 TB a month in either direction, then the relay sleeps until the next.
    # At the full rate it lasts 22 hours; 3.04 Mbit/s would last the month.
    AccountingMax 953674 MBytes
    # In the container's time, which is UTC.
    AccountingStart month 1 00:00

    # A bridge: not in the public list of relays.
    BridgeRelay 1
    # How it is handed out: any, none, https, email or settings.
    BridgeDistribution settings

    # No traffic leaves the network here.
    ExitRelay 0
    ExitPolicy reject *:*

    # Hides what the traffic is. Publish each port under the same number.
    ServerTransportPlugin obfs4 exec /usr/bin/lyrebird
    ServerTransportListenAddr obfs4 [::]:8443
    ServerTransportPlugin webtunnel exec /usr/bin/webtunnel
    ServerTransportListenAddr webtunnel [::]:445
    # Lets the transports tell tor how many use them.
    ExtORPort auto

    # Keys and state, in the volume: the relay is its keys, keep them.
    DataDirectory /tordata
    # The master key is elsewhere. Renew the signing key in time: tor --keygen
    OfflineMasterKey 1

    # For the health check and arm, inside the container. Never publish it.
    ControlSocket /tordata/other.sock
    ControlPort 127.0.0.1:9051
    CookieAuthentication 1
    HashedControlPassword 16:AA505C72B8458347608261C6C04831185555B4BEB69785361613FA1D96

    # For Prometheus, inside the container. Never publish it: it harms users.
    MetricsPort 127.0.0.1:9035
    MetricsPortPolicy accept 127.0.0.1
    "#);
}

fn password() -> impl Strategy<Value = String> {
    "[ -~é]{1,20}"
}

/// Any parameters that make a relay, as a file says them.
fn parameters() -> impl Strategy<Value = (Role, String)> {
    let role = prop_oneof![Just(Role::Bridge), Just(Role::Middle), Just(Role::Exit)];
    let public = (
        proptest::option::of("[A-Za-zé€#\"\\\\ ]{0,20}[a-z]"),
        proptest::option::of(Just("relay.example.org")),
        proptest::option::of(Just("2001:db8::1")),
        1024u16..40000,
        any::<(bool, bool)>(),
    );
    let limits = (
        proptest::option::of((1u32..16000, 0u32..1000)),
        proptest::option::of((1u32..5000, 1u8..29, 0u8..24)),
    );
    let inner = (
        proptest::option::of(40000u16..50000),
        proptest::option::of(password()),
        proptest::option::of(50001u16..60000),
        any::<(bool, bool)>(),
        0usize..5,
    );
    (role, public, limits, inner).prop_map(|(role, public, limits, inner)| {
        let (name, address, ipv6, port, (obfuscate, ciiss)) = public;
        let (bandwidth, accounting) = limits;
        let (control, password, metrics, (offline, sandbox), choice) = inner;
        let mut text =
            format!("or-port = {port}\nobfuscate-email = {obfuscate}\nciiss = {ciiss}\n");
        let mut add = |line: String| text.push_str(&(line + "\n"));
        if let Some(name) = name {
            add(format!("contact-name = {}", toml::Value::String(name)));
        }
        if let Some(address) = address {
            add(format!("address = {address:?}"));
        }
        if let Some(ipv6) = ipv6 {
            add(format!("ipv6 = {ipv6:?}"));
        }
        if let Some((rate, more)) = bandwidth {
            add(format!(
                "rate = \"{rate}Mbit\"\nburst = \"{}Mbit\"",
                rate + more
            ));
        }
        if let Some((max, day, hour)) = accounting {
            add(format!(
                "accounting-max = \"{max}GB\"\naccounting-start = \"month {day} {hour}:30\""
            ));
        }
        if let Some(port) = control {
            add(format!("control-port = {port}"));
            if let Some(password) = password {
                let hashed = HashedPassword::new(&password).unwrap();
                add(format!("hashed-control-password = \"{hashed}\""));
            }
        }
        if let Some(port) = metrics {
            add(format!("metrics-port = {port}"));
            if port % 2 == 0 {
                add("metrics = \"10.90.35.0/24\"".to_owned());
            }
        }
        add(format!("offline-master-key = {offline}"));
        match role {
            Role::Bridge => {
                let ways = ["any", "none", "https", "email", "settings"];
                add(format!("bridge-distribution = {:?}", ways[choice]));
                if !sandbox {
                    add("obfs4-port = 8443".to_owned());
                }
            }
            Role::Middle => add("family-id = [\"*\"]".to_owned()),
            Role::Exit => {
                let policies = ["web", "reduced", "full", "guide-2016", "reduced"];
                add(format!("exit-policy = {:?}", policies[choice]));
            }
        }
        add(format!("sandbox = {sandbox}"));
        (role, text)
    })
}

proptest! {
    #[test]
    fn nothing_is_found_in_what_is_written((role, toml) in parameters()) {
        let torrc = relay(role, &toml).torrc();
        for role in [Some(role), None] {
            let checked = check("torrc", torrc.as_bytes(), role, &Memory::default());
            // That it sleeps for most of the month is what was asked for, and is said.
            let unexpected = checked.findings.iter().find(|finding| {
                // No image of this project can limit system calls.
                finding.rule != "sandbox"
                    && (finding.rule != "accounting-hibernates"
                        || finding.severity != Severity::Note)
            });
            prop_assert_eq!(unexpected, None, "{}", torrc);
        }
    }

    #[test]
    fn it_reads_back((role, toml) in parameters()) {
        let relay = relay(role, &toml);
        let (lines, errors) = parse(relay.torrc().as_bytes());
        prop_assert_eq!(errors, []);
        let value = |name: &str| lines.iter().find(|line| line.name == name).map(|line| &line.value);
        let contact = relay.contact.value();
        prop_assert_eq!(value("ContactInfo"), Some(&contact));
        prop_assert_eq!(value("Nickname").map(String::as_str), Some("relay1"));
        let hashed = relay.control.password.as_ref().map(ToString::to_string);
        prop_assert_eq!(value("HashedControlPassword"), hashed.as_ref());
    }

    #[test]
    fn quoted_values_read_back(value in "[ -~\t\n\r\u{1}é€]{0,30}") {
        let text = format!("Foo {}\nBar 1\n", quoted(&value));
        let (lines, errors) = parse(text.as_bytes());
        prop_assert_eq!(errors, []);
        prop_assert_eq!(&lines[0].value, &value);
        prop_assert_eq!(&lines[1].name, "Bar");
    }
}

/// Tor's own word, where it is there.
#[test]
fn tor_takes_what_is_written() {
    if !tor_is_here("tor_takes_what_is_written", "0.4.9") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("torrc");
    let common = "contact-name = \"A #1 \\\" \\\\\"\nipv6 = \"2001:db8::1\"\nrate = \"100Mbit\"\n\
                  burst = \"1Gbit\"\naccounting-max = \"1TB\"\naccounting-start = \"week 7 23:59\"\n\
                  address = \"203.0.113.7\"\nmetrics-port = 9035\ncontrol-port = 9051\n";
    let cases = [
        (Role::Middle, ""),
        (
            Role::Middle,
            "family-id = [\"gIuZU4YkmBl1kjzzulzoTQ28i8VqQhWwDgrH94aUDZU\", \"*\"]\nmy-family = [\"65E45DB4F4C312B8B23790937E6EB819204F67F3\"]",
        ),
        (
            Role::Bridge,
            "transport = [\"obfs4=/bin/true\"]\nbridge-distribution = \"none\"",
        ),
        (Role::Exit, "exit-policy = \"web\""),
        (Role::Exit, "exit-policy = \"reduced\""),
        (Role::Exit, "exit-policy = \"full\""),
        (Role::Exit, "exit-policy = \"guide-2016\""),
    ];
    for (role, toml) in cases {
        for toml in [toml.to_owned(), format!("{common}{toml}")] {
            fs_err::write(&path, relay(role, &toml).torrc()).unwrap();
            let output = Command::new("tor")
                .args(["--verify-config", "--defaults-torrc", "/dev/null", "-f"])
                .arg(&path)
                .arg("--DataDirectory")
                .arg(directory.path().join("data"))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                said.contains("Configuration was valid"),
                "{role} {toml}\n{said}"
            );
            // Tor warns of nothing but what the machine of the test brings with it.
            let warnings = said.lines().filter(|line| line.contains("[warn]"));
            let ours: Vec<&str> = warnings
                .filter(|line| !line.contains("running Tor as root"))
                .collect();
            assert_eq!(ours, [""; 0], "{role} {toml}");
        }
    }
}
