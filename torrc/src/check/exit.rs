//! Whether traffic leaves the network here, and where to.

use super::config::{Config, Setting};
use super::finding::Fix;
use super::finding::Severity::{Error, Note, Warning};
use crate::Role;
use crate::policy::{self, Rule};

/// Whether any traffic may leave, as tor takes the torrc (`policies.c`).
pub(super) fn exits(config: &Config) -> bool {
    let given = !config.all("ExitPolicy").is_empty()
        || config.on("ReducedExitPolicy").is_some()
        || config.on("IPv6Exit").is_some();
    let on = config.on("ExitRelay").is_some();
    if config.off("ExitRelay").is_some() || (!given && !on) {
        return false;
    }
    // Tor's own rules follow what does not end, and they let much through.
    !policy::rejects_all(&rules(config), config.on("IPv6Exit").is_some())
}

/// The rules that can be read.
fn rules(config: &Config) -> Vec<Rule> {
    let values = config.all("ExitPolicy");
    let parsed = values
        .iter()
        .filter_map(|setting| policy::parse(&setting.value).ok());
    parsed.flatten().collect()
}

pub(super) fn check(config: &mut Config, role: Role) {
    let settings = config.all("ExitPolicy");
    let exit_relay = config.one("ExitRelay").map(|setting| setting.value);
    let read = exit_relay.as_deref() != Some("0") && !settings.is_empty();
    let mut unreadable = false;
    for setting in &settings {
        if let Err(reason) = policy::parse(&setting.value) {
            unreadable |= read;
            let (severity, end) = match read {
                true => (Error, "tor does not start"),
                false => (
                    Warning,
                    "with `ExitRelay 0` tor does not read it, without it tor does not start",
                ),
            };
            config.find(
                severity,
                "exit-policy-syntax",
                setting,
                format!("{reason}: {end}"),
                policy_meant(setting, &reason, "`accept *:443` or `reject *:*`"),
            );
        } else if let (true, Some(rule)) = (read, policy::skipped(&setting.value)) {
            skipped(config, setting, rule);
        }
    }
    if role == Role::Exit {
        exit(config, &settings, unreadable);
    } else if config.on("ExitRelay").is_some() || !unreadable {
        no_exit(config, role, settings.first());
    }
}

/// What to write instead of a policy that tor does not take, or else what it is to be `like`.
pub(super) fn policy_meant(setting: &Setting, reason: &str, like: &str) -> Fix {
    match policy::meant(&setting.value) {
        Some(meant) => Fix::write(format!("{} {meant}", setting.option.name)),
        None if reason.ends_with("without brackets") => {
            "put the IPv6 address in brackets, like `[2001:db8::1]:443`".into()
        }
        None => format!("write it like {like}").into(),
    }
}

/// A rule for IPv6 that has an address of IPv4.
fn skipped(config: &mut Config, setting: &Setting, rule: &str) {
    let action = rule.split_ascii_whitespace().next().unwrap_or_default();
    let plain = action.trim_end_matches('6');
    let meant = rule.replacen(action, plain, 1);
    let value = setting.value.replacen(rule, &meant, 1);
    config.find(
        Warning,
        "exit-policy-family",
        setting,
        format!("`{rule}` is a rule for IPv6 with an IPv4 address: tor warns and skips it"),
        Fix::write(format!("{} {value}", setting.option.name)),
    );
}

fn no_exit(config: &mut Config, role: Role, policy: Option<&Setting>) {
    if config.off("ExitRelay").is_some() {
        let mut accepted = config.all("ExitPolicy").into_iter().filter(|setting| {
            policy::parse(&setting.value).is_ok_and(|rules| rules.iter().any(|rule| rule.accept))
        });
        if let Some(setting) = accepted.next() {
            config.find(
                Warning,
                "exit-policy-ignored",
                &setting,
                "with `ExitRelay 0` tor does not read the policy: nothing leaves",
                "delete the line",
            );
        }
        return;
    }
    let on = config.on("ExitRelay");
    if exits(config) || (role == Role::Bridge && (on.is_some() || policy.is_some())) {
        let cause = on
            .or_else(|| policy.cloned())
            .or_else(|| config.on("ReducedExitPolicy"))
            .or_else(|| config.on("IPv6Exit"));
        let (severity, what) = if role == Role::Bridge {
            (
                Warning,
                "a bridge lets no traffic out, whatever this says: tor warns",
            )
        } else {
            (
                Error,
                "a middle relay lets no traffic out, and this makes it an exit",
            )
        };
        if let Some(setting) = cause {
            let fix = Fix::write("ExitRelay 0");
            config.find(severity, "role-mismatch", &setting, what, fix);
        }
    } else if let Some(setting) = on {
        config.find(
            Note,
            "exit-relay-on",
            &setting,
            "nothing leaves, because the policy rejects all; this line says otherwise",
            Fix::write("ExitRelay 0"),
        );
    } else if role == Role::Middle {
        config.missing(
            Note,
            "exit-relay-unset",
            "ExitRelay",
            "no traffic leaves, but only as long as no line says otherwise",
            Fix::add("ExitRelay 0"),
        );
    }
}

fn exit(config: &mut Config, settings: &[Setting], unreadable: bool) {
    let reduced = config.on("ReducedExitPolicy");
    if let Some(setting) = config.off("ExitRelay") {
        config.find(
            Error,
            "role-mismatch",
            &setting,
            "an exit is meant, and this makes it none",
            Fix::write("ExitRelay 1"),
        );
    } else if config.on("ExitRelay").is_none() {
        config.missing(
            Warning,
            "exit-relay-unset",
            "ExitRelay",
            "whether the relay is an exit depends on its policy lines alone",
            Fix::add("ExitRelay 1"),
        );
    }
    if settings.is_empty() && reduced.is_none() {
        config.missing(
            Warning,
            "exit-policy-missing",
            "ExitPolicy",
            "tor's default policy lets nearly everything through, file sharing included",
            "add `ReducedExitPolicy 1`, or an `ExitPolicy`",
        );
        return;
    }
    // What a policy comes to is only known once all of it can be read.
    if unreadable {
        return;
    }
    let rules = rules(config);
    let last = rules.iter().position(Rule::is_last);
    if let (Some(setting), None, None) = (settings.last(), last, &reduced) {
        config.find(
            Warning,
            "exit-policy-unfinished",
            setting,
            "tor's default policy follows, which lets nearly everything through",
            match rules.iter().any(|rule| rule.accept) {
                true => Fix::add("ExitPolicy reject *:*")
                    .said("end the policy with `ExitPolicy reject *:*`"),
                false => "add `ReducedExitPolicy 1`, or the ports that you want to let through and `ExitPolicy reject *:*` after them".into(),
            },
        );
    }
    if let Some(last) = last {
        after_the_last(config, settings, &rules[..=last]);
        if let Some(setting) = reduced {
            config.find(
                Note,
                "reduced-policy-unused",
                &setting,
                "the `ExitPolicy` lines end, so this one does nothing",
                "delete the line, or the `ExitPolicy` that matches everything",
            );
        }
    }
    if let Some(setting) = config.off("ExitPolicyRejectPrivate") {
        config.find(
            Warning,
            "exit-to-private",
            &setting,
            "users of the network may reach your own network, the container's host included",
            "delete the line",
        );
    }
}

/// What a policy that ends comes to.
fn after_the_last(config: &mut Config, settings: &[Setting], rules: &[Rule]) {
    let mut seen = 0;
    for setting in settings {
        if seen >= rules.len() {
            config.find(
                Warning,
                "exit-policy-unreachable",
                setting,
                "a rule before this one matches everything",
                "move the line up, or delete it",
            );
        }
        seen += policy::parse(&setting.value).map_or(0, |rules| rules.len());
    }
    let Some(first) = settings.first() else {
        return;
    };
    if !policy::accepts_something(rules) {
        config.find(
            Error,
            "exit-rejects-all",
            first,
            "an exit is meant, and its policy lets nothing through",
            "write the ports that you want to let through before it",
        );
        return;
    }
    for port in [80, 443] {
        if policy::accepts_port(rules, port) != Some(true) {
            config.find(
                Warning,
                "exit-without-web",
                first,
                format!("without port {port} the network does not list the relay as an exit"),
                format!("add `ExitPolicy accept *:{port}`"),
            );
        }
    }
    if policy::accepts_port(rules, 25) == Some(true) {
        config.find(
            Warning,
            "exit-to-smtp",
            first,
            "port 25 lets spam through: the address is soon on every block list",
            "add `ExitPolicy reject *:25` before the others",
        );
    }
}
