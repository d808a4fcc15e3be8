//! The command line that starts a relay's container.

use super::service::{LOG, LOW_PORTS, STOP_SIGNAL, Service, TMP};
use super::shell::quoted;

/// The `docker run` of `service`; podman takes the same. The health check is the image's: on
/// this command line one could only be a shell's.
pub fn docker_run(service: &Service) -> String {
    let name = &service.name;
    let mut words: Vec<String> = vec![
        "docker run --detach".to_owned(),
        format!("--name {}", quoted(name)),
        format!("--user {0}:{0}", service.user),
        "--restart unless-stopped".to_owned(),
        format!("--stop-signal {STOP_SIGNAL}"),
        format!("--stop-timeout {}", service.stop_seconds),
        "--read-only".to_owned(),
        "--cap-drop ALL".to_owned(),
        "--security-opt no-new-privileges".to_owned(),
        format!("--tmpfs {}", quoted(TMP)),
    ];
    let ports = service.ports.iter();
    words.extend(ports.map(|port| format!("--publish {port}")));
    if service.has_low_port() {
        words.push(format!("--sysctl {LOW_PORTS}"));
    }
    for (host, inside, read_only) in service.mounts() {
        // Unlike --volume it does not make a directory that is not there, as root's.
        let mount = format!("type=bind,source={},target={inside}", host.as_str());
        let mount = mount + if read_only { ",readonly" } else { "" };
        words.push(format!("--mount {}", quoted(&mount)));
    }
    let files = service.open_files;
    words.push(format!("--ulimit nofile={files}:{files}"));
    words.push(format!("--memory {}m", service.memory));
    words.push("--log-driver json-file".to_owned());
    words.extend(LOG.map(|(option, value)| format!("--log-opt {option}={value}")));
    words.push(quoted(&service.image.to_string()));
    words.push(service.arguments().map(quoted).join(" "));
    words.join(" \\\n    ")
}
