//! The filter's configuration as Envoy takes it over ECDS.

use std::path::Path;

use envoy_types::pb::envoy::config::core::v3::async_data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier as Local;
use envoy_types::pb::envoy::config::core::v3::{AsyncDataSource, DataSource, TypedExtensionConfig};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::plugin_config::Vm;
use envoy_types::pb::envoy::extensions::wasm::v3::{FailurePolicy, PluginConfig, VmConfig};
use envoy_types::pb::google::protobuf::{Any, BoolValue, BytesValue};
use prost::Name;

/// Type of the resources.
pub(super) const TYPE_URL: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

/// A proxy asks by the name of its HTTP filter: `ig.guard.{graph}`.
const PREFIX: &str = "ig.guard.";

/// Name of a graph's resource.
pub(crate) fn name(graph: &str) -> String {
    format!("{PREFIX}{graph}")
}

/// The graph of a resource's name.
pub(crate) fn graph(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)
}

fn pack<M: prost::Message + Name>(message: &M) -> Any {
    Any {
        type_url: M::type_url(),
        value: message.encode_to_vec(),
    }
}

/// The snapshot within a resource.
pub(crate) fn snapshot(resource: &Any) -> Option<Vec<u8>> {
    let extension = unpack::<TypedExtensionConfig>(resource)?;
    let wasm = unpack::<Wasm>(extension.typed_config.as_ref()?)?;
    let configuration = wasm.config?.configuration?;
    Some(unpack::<BytesValue>(&configuration)?.value)
}

fn unpack<M: prost::Message + Name + Default>(any: &Any) -> Option<M> {
    let is_it = any.type_url == M::type_url();
    is_it.then(|| M::decode(&any.value[..]).ok()).flatten()
}

/// The resource that makes a proxy enforce a snapshot.
pub(crate) fn resource(name: &str, module: &Path, snapshot: &[u8]) -> Any {
    let code = DataSource {
        specifier: Some(Local::Filename(module.to_string_lossy().into_owned())),
        ..DataSource::default()
    };
    let vm = VmConfig {
        // The same for every revision: a new one keeps the VM.
        vm_id: "ig.guard".into(),
        runtime: "envoy.wasm.runtime.v8".into(),
        code: Some(AsyncDataSource {
            specifier: Some(Specifier::Local(code)),
        }),
        ..VmConfig::default()
    };
    let plugin = PluginConfig {
        name: name.to_owned(),
        configuration: Some(pack(&BytesValue {
            value: snapshot.to_vec(),
        })),
        failure_policy: FailurePolicy::FailReload.into(),
        allow_on_headers_stop_iteration: Some(BoolValue { value: true }),
        vm: Some(Vm::VmConfig(vm)),
        ..PluginConfig::default()
    };
    let extension = TypedExtensionConfig {
        name: name.to_owned(),
        typed_config: Some(pack(&Wasm {
            config: Some(plugin),
        })),
    };
    pack(&extension)
}
