//! Manifests for Kubernetes: a relay a pod, its identity on a volume of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::service::{HostTorrc, LOW_PORTS, Service};
use super::{Error, manifest};
use crate::image::{Healthcheck, SECOND};
use torrc::check::{Files, What, facts};
use torrc::{CONFIG_DIRECTORY, DATA_DIRECTORY};

/// How others reach the ports, under the very numbers that they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A load balancer with an address of its own for each relay.
    LoadBalancer,
    /// The ports of the machine that the pod is on.
    HostPort,
}

impl std::str::FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "load-balancer" => Ok(Self::LoadBalancer),
            "host-port" => Ok(Self::HostPort),
            _ => Err("expected load-balancer or host-port".to_owned()),
        }
    }
}

/// Where tor keeps its data: in a directory that it makes itself. A cluster gives the volume to a
/// group, and tor refuses a directory that belongs to another user or that a group may enter.
fn data() -> String {
    format!("{DATA_DIRECTORY}/relay")
}

/// The manifests of `services`, whose torrcs are `sources`.
///
/// # Errors
/// If the image is in no registry, or a torrc has a password.
pub fn kubernetes(
    services: &[Service],
    sources: &[HostTorrc<'_>],
    way: Way,
) -> Result<String, Error> {
    let mut documents = Vec::new();
    for (service, source) in services.iter().zip(sources) {
        if service.image.is_local() {
            return Err(Error::LocalImage {
                image: service.image.to_string(),
                for_what: "a cluster",
            });
        }
        let files = configuration(service, source)?;
        let names: Vec<(String, String)> =
            files.keys().map(|path| (key(path), path.clone())).collect();
        documents.push(config_map(service, &files));
        documents.push(stateful_set(service, &names, way));
        documents.push(headless(service));
        if way == Way::LoadBalancer {
            documents.push(load_balancer(service));
        }
        documents.push(network_policy(service));
    }
    Ok(manifest::yaml(&documents))
}

/// The torrc and what it includes, by their paths below the configuration.
fn configuration(
    service: &Service,
    source: &HostTorrc<'_>,
) -> Result<BTreeMap<String, String>, Error> {
    let read = Recorder {
        files: source.files,
        read: RefCell::default(),
    };
    let name = source.path.display().to_string();
    if let Some(option) = facts(&name, source.text, &read).secret {
        return Err(Error::Secret {
            torrc: name,
            option,
        });
    }
    let mut files = read.read.take();
    let torrc = Path::new(&service.torrc);
    files.insert(torrc.to_owned(), source.text.to_vec());
    let below = |(path, text): (PathBuf, Vec<u8>)| {
        let path = path
            .strip_prefix(CONFIG_DIRECTORY)
            .ok()?
            .to_str()?
            .to_owned();
        Some((path, String::from_utf8_lossy(&text).into_owned()))
    };
    Ok(files.into_iter().filter_map(below).collect())
}

/// Remembers what is read.
struct Recorder<'a> {
    files: &'a dyn Files,
    read: RefCell<BTreeMap<PathBuf, Vec<u8>>>,
}

impl Files for Recorder<'_> {
    fn what(&self, path: &Path) -> What {
        self.files.what(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = self.files.read(path)?;
        self.read
            .borrow_mut()
            .insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        self.files.names(path)
    }
}

/// A path as a key, which has no `/`.
fn key(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    path.chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect()
}

fn labels(service: &Service) -> Value {
    json!({"app.kubernetes.io/name": "tor-relay", "app.kubernetes.io/instance": service.name})
}

fn metadata(service: &Service, name: String) -> Value {
    json!({"name": name, "labels": labels(service)})
}

fn config_map(service: &Service, files: &BTreeMap<String, String>) -> Value {
    let data: Map<String, Value> = files
        .iter()
        .map(|(path, text)| (key(path), Value::from(text.as_str())))
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(service, format!("{}-config", service.name)),
        "data": data,
    })
}

fn stateful_set(service: &Service, files: &[(String, String)], way: Way) -> Value {
    let health = Healthcheck::default();
    let command: Vec<&str> = health.test.iter().skip(1).map(String::as_str).collect();
    let seconds = |length: u64| length / SECOND;
    let probe = |failures: u64| {
        json!({
            "exec": {"command": command},
            "periodSeconds": seconds(health.interval),
            "timeoutSeconds": seconds(health.timeout),
            "failureThreshold": failures,
        })
    };
    let ports: Vec<Value> = service
        .ports
        .iter()
        .map(|port| {
            let mut value = json!({
                "name": format!("tor-{}", port.outside),
                "containerPort": port.inside,
                "protocol": "TCP",
            });
            if way == Way::HostPort {
                value["hostPort"] = port.outside.into();
            }
            value
        })
        .collect();
    let items: Vec<Value> = files
        .iter()
        .map(|(key, path)| json!({"key": key, "path": path}))
        .collect();
    let mut security = json!({
        "runAsNonRoot": true,
        "runAsUser": service.user,
        "runAsGroup": service.user,
        // The volume's own directory is the group's; what is in it stays tor's.
        "fsGroup": service.user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    if service.has_low_port()
        && let Some((name, value)) = LOW_PORTS.split_once('=')
    {
        security["sysctls"] = json!([{"name": name, "value": value}]);
    }
    let start = health.start_period / health.interval;
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(service, service.name.clone()),
        "spec": {
            // Two of one identity would each drop out of the network.
            "replicas": 1,
            "serviceName": service.name,
            "selector": {"matchLabels": labels(service)},
            "template": {
                "metadata": {"labels": labels(service)},
                "spec": {
                    "automountServiceAccountToken": false,
                    "enableServiceLinks": false,
                    "terminationGracePeriodSeconds": service.stop_seconds,
                    "securityContext": security,
                    "containers": [{
                        "name": "tor",
                        "image": service.image.to_string(),
                        "args": [
                            "-f", service.torrc,
                            "--DataDirectory", data(),
                            "--ControlSocket", format!("{}/control.sock", data()),
                        ],
                        "ports": ports,
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "readOnlyRootFilesystem": true,
                            "capabilities": {"drop": ["ALL"]},
                        },
                        "resources": {
                            "requests": {"cpu": "100m", "memory": "512Mi"},
                            "limits": {"memory": format!("{}Mi", service.memory)},
                        },
                        "startupProbe": probe(start),
                        "readinessProbe": probe(u64::from(health.retries)),
                        "volumeMounts": [
                            {"name": "config", "mountPath": CONFIG_DIRECTORY, "readOnly": true},
                            {"name": "data", "mountPath": DATA_DIRECTORY},
                            {"name": "tmp", "mountPath": "/tmp"},
                        ],
                    }],
                    "volumes": [
                        {"name": "config", "configMap": {
                            "name": format!("{}-config", service.name),
                            "items": items,
                        }},
                        {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
                    ],
                },
            },
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "2Gi"}},
                },
            }],
        },
    })
}

/// What a stateful set has to have; nobody connects to it.
fn headless(service: &Service) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(service, service.name.clone()),
        "spec": {"clusterIP": "None", "selector": labels(service)},
    })
}

fn load_balancer(service: &Service) -> Value {
    let ports: Vec<Value> = service
        .ports
        .iter()
        .map(|port| {
            json!({
                "name": format!("tor-{}", port.outside),
                "port": port.outside,
                "targetPort": port.inside,
                "protocol": "TCP",
            })
        })
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(service, format!("{}-public", service.name)),
        "spec": {
            "type": "LoadBalancer",
            // Tor counts connections by their addresses, which another hop would hide.
            "externalTrafficPolicy": "Local",
            "selector": labels(service),
            "ports": ports,
        },
    })
}

/// In by the published ports and no other; out to everywhere, as a relay has to.
fn network_policy(service: &Service) -> Value {
    let ports: Vec<Value> = service
        .ports
        .iter()
        .map(|port| json!({"port": port.inside, "protocol": "TCP"}))
        .collect();
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(service, service.name.clone()),
        "spec": {
            "podSelector": {"matchLabels": labels(service)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": ports}],
            "egress": [{}],
        },
    })
}
