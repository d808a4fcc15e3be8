//! What is refused, and how it is said.

use super::*;

const LEAST: &str = "nickname = \"relay1\"\ncontact-email = \"ada@example.org\"\n";

fn relay(role: Role, toml: &str) -> Result<Relay, Error> {
    Parameters::from_toml("relay.toml", toml)?.relay(role)
}

/// The message, and the hint if there is one.
fn said(role: Role, toml: &str) -> String {
    let error = relay(role, toml).unwrap_err();
    match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    }
}

#[test]
fn what_is_missing_or_does_not_go_together() {
    let cases = [
        (Role::Middle, ""),
        (Role::Middle, "nickname = \"relay1\""),
        (Role::Middle, "burst = \"1Gbit\""),
        (Role::Middle, "rate = \"10Mbit\"\nburst = \"5Mbit\""),
        (Role::Middle, "rate = \"500kbit\""),
        (Role::Bridge, "rate = \"400kbit\""),
        (Role::Middle, "rate = \"20Gbit\""),
        (Role::Middle, "exit-policy = \"web\""),
        (Role::Exit, "transport = [\"obfs4=/usr/bin/lyrebird\"]"),
        (Role::Middle, "obfs4-port = 8443"),
        (Role::Exit, "bridge-distribution = \"any\""),
        (Role::Bridge, "family-id = [\"*\"]"),
        (
            Role::Bridge,
            "sandbox = true\ntransport = [\"obfs4=/usr/bin/lyrebird\"]",
        ),
        (Role::Bridge, "transport = [\"obfs4=/a\", \"obfs4=/b\"]"),
        (Role::Bridge, "transport = [\"obfs4=/a:9001\"]"),
        (Role::Middle, "control-port = 9001"),
        (Role::Middle, "control-port = 9051\nmetrics-port = 9051"),
        (Role::Middle, "accounting-start = \"month 1 00:00\""),
        (
            Role::Middle,
            "hashed-control-password = \"16:AA505C72B8458347608261C6C04831185555B4BEB69785361613FA1D96\"",
        ),
    ];
    let messages = cases.map(|(role, toml)| {
        let whole = if toml.is_empty() || toml.starts_with("nickname") {
            toml.to_owned()
        } else {
            format!("{LEAST}{toml}")
        };
        said(role, &whole)
    });
    insta::assert_snapshot!(messages.join("\n"), @r"
    --nickname is missing: the relay is listed under it
    hint: add --nickname and a name of letters and digits
    --contact-email is missing: tor warns that relays nobody can be asked about may be rejected
    hint: add --contact-email, or `contact-email` to the file of --from
    --burst does nothing without --rate
    --burst 5 Mbit/s is lower than --rate 10 Mbit/s: tor refuses that
    --rate 500 kbit/s is 62500 bytes per second; for the role middle it is at least 614.4 kbit/s (76800 bytes per second): tor does not start with less
    --rate 400 kbit/s is 50000 bytes per second; for the role bridge it is at least 409.6 kbit/s (51200 bytes per second): tor does not start with less
    --rate 20 Gbit/s is 2500000000 bytes per second; for the role middle it is at most 17.18 Gbit/s; leave it out to set no limit
    --exit-policy is not for the role middle: nothing leaves the network here
    --transport is not for the role exit: only bridges are hidden and handed out
    --obfs4-port is not for the role middle: only bridges are hidden and handed out
    --bridge-distribution is not for the role exit: only bridges are hidden and handed out
    --family-id is not for the role bridge: it would tell censors where the bridge is
    --sandbox and --transport exclude each other
    transport `obfs4`: it is given twice; tor ignores the second
    port 9001 is given to the ORPort and to the transport obfs4
    hint: give one of them another port
    port 9001 is given to the ORPort and to --control-port
    hint: give one of them another port
    port 9051 is given to --control-port and to --metrics-port
    hint: give one of them another port
    --accounting-start does nothing without --accounting-max
    --control-password does nothing without --control-port
    ");
}

#[test]
fn what_is_wrong_in_the_file_is_said_with_its_line() {
    let cases = [
        "nickname = \"relay1\"\nrate = \"fast\"",
        "nickname = \"my-relay\"",
        "\n\ncolour = \"red\"",
        "or-port = 0",
        "or-port = \"9001\"",
        "nickname = 7",
        "nickname = \"a\"\nnickname = \"b\"",
        "transport = [\"obfs4\"]",
        "nickname = \"a",
        "hashed-control-password = \"secret\"",
    ];
    let messages = cases.map(|toml| said(Role::Middle, toml));
    insta::assert_snapshot!(messages.join("\n"), @r#"
    relay.toml:2: `fast` is not a rate: it does not begin with a number; write it like 100Mbit, 12.5MB or 10MiB, each per second
    relay.toml:1: nickname `my-relay`: expected 1 to 19 letters and digits, got `-`
    relay.toml:3: unknown field `colour`, expected one of `nickname`, `contact-name`, `contact-email`, `pgp`, `obfuscate-email`, `ciiss`, `url`, `proof`, `address`, `ipv6`, `or-port`, `rate`, `burst`, `accounting-max`, `accounting-start`, `accounting-rule`, `control-socket`, `control-port`, `hashed-control-password`, `metrics-port`, `metrics`, `family-id`, `my-family`, `offline-master-key`, `sandbox`, `exit-policy`, `bridge-distribution`, `transport`, `obfs4-port`
    relay.toml:1: invalid value: integer `0`, expected a nonzero u16
    relay.toml:1: invalid type: string "9001", expected a nonzero u16
    relay.toml:1: invalid type: integer `7`, expected a string
    relay.toml:2: duplicate key
    relay.toml:1: transport `obfs4`: it is not like obfs4=/usr/bin/lyrebird
    relay.toml:1: invalid basic string, expected `"`
    relay.toml:1: the hashed control password is not `16:` and 58 hexadecimal digits
    "#);
}

#[test]
fn the_line_of_a_parameter() {
    let text = "# a relay\n\nnickname = \"relay1\"\nburst = \"1Gbit\"\n";
    assert_eq!(line_of_parameter(text, "--burst"), Some(4));
    assert_eq!(line_of_parameter(text, "--rate"), None);
}

#[test]
fn the_command_line_comes_before_the_file() {
    let file = Parameters::from_toml("f", "or-port = 1\nmetrics-port = 2\nciiss = true\n").unwrap();
    let line = Parameters {
        or_port: NonZeroU16::new(3),
        ..Parameters::default()
    };
    let both = line.over(file);
    let ports = (
        both.or_port.unwrap().get(),
        both.metrics_port.unwrap().get(),
    );
    assert_eq!((ports, both.ciiss), ((3, 2), true));
}
