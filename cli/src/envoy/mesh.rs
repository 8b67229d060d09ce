//! Objects for proxies that somebody else configures.

use std::collections::BTreeMap;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use ig_envoy::{
    Address, Backend, Chosen, EnvoyGateway, Istio, Naming, StaticOptions, Workload, envoy_gateway,
    istio,
};
use serde_json::Value;

/// What the objects are called, and which proxies they are for.
#[derive(clap::Args)]
#[command(next_help_heading = "Istio and Envoy Gateway")]
pub(super) struct MeshArgs {
    /// Name of the object; `ig-guard`, or `ig-guard-GRAPH`, by default.
    #[arg(long, value_name = "NAME", value_parser = kubernetes_name)]
    name: Option<String>,
    /// Namespace of the proxies.
    #[arg(long, value_name = "NAMESPACE", value_parser = kubernetes_name)]
    namespace: Option<String>,
    /// Istio: the proxies to guard.
    #[arg(long, value_enum)]
    attach: Option<Attach>,
    /// Istio: a label of the proxies' pods; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with_all = ["gateway", "service"])]
    label: Vec<Label>,
    /// The Gateway whose proxies to guard.
    #[arg(long, value_name = "NAME", value_parser = kubernetes_name, conflicts_with = "service")]
    gateway: Option<String>,
    /// Istio's waypoints: the Service whose requests to guard.
    #[arg(long, value_name = "NAME", value_parser = kubernetes_name)]
    service: Option<String>,
    /// Istio: the port to guard; all HTTP by default. Envoy Gateway: the port of
    /// the Gateway that --gateway-class asks for.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Envoy Gateway: a listener of the Gateway; may be given several times. Of
    /// those that share a port, give the first.
    #[arg(long, value_name = "NAME", value_parser = kubernetes_name)]
    listener: Vec<String>,
    /// Envoy Gateway 1.10, or since 1.5 with its flag XDSNameSchemeV2: the port of a listener,
    /// in place of its name; may be given several times.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    listener_port: Vec<u16>,
    /// Envoy Gateway: render the Gateway and its route as well, with this class,
    /// to the Service that --upstream names.
    #[arg(long, value_name = "NAME", requires = "upstream", value_parser = kubernetes_name)]
    gateway_class: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Attach {
    /// Gateways: what comes from outside.
    Gateway,
    /// Sidecars: what arrives at the service.
    Sidecar,
    /// Ambient waypoints; Istio 1.29 or later.
    Waypoint,
}

#[derive(Clone)]
struct Label(String, String);

impl FromStr for Label {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self(key.to_owned(), value.to_owned())),
            _ => Err("write KEY=VALUE"),
        }
    }
}

/// A name as Kubernetes has them: RFC 1123's labels, with dots between.
fn kubernetes_name(text: &str) -> Result<String, &'static str> {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        label.bytes().all(|byte| is_inner(byte) || byte == b'-')
            && label.bytes().next().is_some_and(is_inner)
            && label.bytes().last().is_some_and(is_inner)
    };
    let is_name = text.len() <= 253 && text.split('.').all(is_label);
    is_name
        .then(|| text.to_owned())
        .ok_or("write lower-case letters, digits, `-` and `.`")
}

impl MeshArgs {
    /// The first option that is given.
    fn given(&self) -> Option<&'static str> {
        let all = [
            ("--name", self.name.is_some()),
            ("--namespace", self.namespace.is_some()),
            ("--attach", self.attach.is_some()),
            ("--label", !self.label.is_empty()),
            ("--gateway", self.gateway.is_some()),
            ("--service", self.service.is_some()),
            ("--port", self.port.is_some()),
            ("--listener", !self.listener.is_empty()),
            ("--listener-port", !self.listener_port.is_empty()),
            ("--gateway-class", self.gateway_class.is_some()),
        ];
        all.into_iter()
            .find_map(|(name, given)| given.then_some(name))
    }

    /// Whether a Gateway with a route is asked for.
    pub(super) fn has_route(&self) -> bool {
        self.gateway_class.is_some()
    }

    fn name(&self, graph: Option<&str>) -> Result<String> {
        let name = match (&self.name, graph) {
            (Some(name), _) => name.clone(),
            (None, Some(graph)) => format!("ig-guard-{graph}"),
            (None, None) => "ig-guard".to_owned(),
        };
        // A graph may be called what no object may.
        match kubernetes_name(&name) {
            Ok(name) => Ok(name),
            Err(_) => bail!("no object can be called `{name}`: give it a --name"),
        }
    }

    /// Objects of Istio.
    pub(super) fn istio(self, options: &StaticOptions, graph: Option<&str>) -> Result<Vec<Value>> {
        ensure!(
            self.listener.is_empty()
                && self.listener_port.is_empty()
                && self.gateway_class.is_none(),
            "--listener, --listener-port and --gateway-class are for --flavour envoy-gateway"
        );
        let object = Istio {
            name: self.name(graph)?,
            namespace: self.namespace.clone(),
            port: self.port,
            workload: self.workload()?,
        };
        Ok(istio(options, &object)?)
    }

    fn workload(self) -> Result<Workload> {
        let labels: BTreeMap<_, _> = self.label.into_iter().map(|Label(k, v)| (k, v)).collect();
        let chosen = match (self.gateway, self.service) {
            (Some(gateway), _) => Chosen::Gateway(gateway),
            (None, Some(service)) => Chosen::Service(service),
            (None, None) => Chosen::Labels(labels),
        };
        match (self.attach.unwrap_or(Attach::Gateway), chosen) {
            (Attach::Waypoint, Chosen::Labels(_)) => bail!(
                "say which waypoint: with --gateway its own name, or with --service whose \
                 requests it takes"
            ),
            (_, Chosen::Labels(labels)) if labels.is_empty() => bail!(
                "say which proxies, with --label: without one, every proxy of the namespace \
                 would be guarded"
            ),
            (Attach::Gateway, Chosen::Service(_)) => {
                bail!(
                    "--service is for --attach waypoint: a gateway is chosen by --gateway or --label"
                )
            }
            (Attach::Gateway, chosen) => Ok(Workload::Gateway(chosen)),
            (Attach::Sidecar, Chosen::Labels(labels)) => Ok(Workload::Sidecar(labels)),
            (Attach::Sidecar, _) => bail!("sidecars are chosen by their labels, with --label"),
            (Attach::Waypoint, chosen) => Ok(Workload::Waypoint(chosen)),
        }
    }

    /// Objects of Envoy Gateway; with `upstream`, a Gateway of their own.
    pub(super) fn envoy_gateway(
        self,
        options: &StaticOptions,
        graph: Option<&str>,
        upstream: &[Address],
    ) -> Result<Vec<Value>> {
        ensure!(
            self.attach.is_none() && self.label.is_empty() && self.service.is_none(),
            "--attach, --label and --service are for --flavour istio: Envoy Gateway's proxies \
             are chosen by --gateway and --listener"
        );
        ensure!(
            !self.listener.is_empty()
                || (!self.listener_port.is_empty() && self.gateway_class.is_none()),
            "say which listeners of the Gateway to guard, with --listener; with --listener-port as \
             well where Envoy Gateway calls them by their ports"
        );
        let first = self.port.unwrap_or(80);
        ensure!(
            usize::from(first) + self.listener.len() <= 1 + usize::from(u16::MAX),
            "--port: the listeners have the ports from there on, and there are not so many"
        );
        if let (Some(_), false) = (&self.gateway_class, self.listener_port.is_empty()) {
            let made: Vec<_> = (first..=u16::MAX).take(self.listener.len()).collect();
            ensure!(
                self.listener_port == made,
                "--listener-port: the listeners of --gateway-class have the ports from --port on, \
                 one for each --listener"
            );
        }
        let backend = match (&self.gateway_class, upstream) {
            (None, _) => {
                ensure!(self.port.is_none(), "--port needs --gateway-class");
                None
            }
            (Some(class), [only]) => Some(Backend {
                class: class.clone(),
                port: self.port.unwrap_or(80),
                service: kubernetes_name(&only.host)
                    .ok()
                    .filter(|name| !name.contains('.'))
                    .with_context(|| {
                        format!("{only}: give a Service of the Gateway's namespace, as NAME:PORT")
                    })?,
                service_port: only.port,
            }),
            (Some(_), _) => bail!("a route has one Service: give --upstream once"),
        };
        let object = EnvoyGateway {
            name: self.name(graph)?,
            namespace: self
                .namespace
                .context("say where the Gateway is, with --namespace")?,
            gateway: self.gateway.context("say which Gateway, with --gateway")?,
            listeners: self.listener,
            naming: match self.listener_port {
                ports if ports.is_empty() => Naming::ByName,
                ports => Naming::ByPort(ports),
            },
            backend,
        };
        Ok(envoy_gateway(options, &object)?)
    }

    /// Refuses what is not for an Envoy of its own.
    pub(super) fn refuse(&self) -> Result<()> {
        match self.given() {
            None => Ok(()),
            Some(name) => {
                bail!("{name} is for --flavour istio or envoy-gateway")
            }
        }
    }
}
