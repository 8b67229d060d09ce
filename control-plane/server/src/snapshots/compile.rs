//! From rows to a snapshot. The same rows give the same bytes on every
//! replica.

use ig_schema::catalogue::import;
use ig_schema::{Limits, Schema};
use ig_snapshot::{Compiled, Config, Input};
use toml::{Table, Value};

use crate::app::App;
use crate::error::ApiError;
use crate::{audit, catalogue, graphs, policies, schemas, step_up, tenants};

/// Compiles what is stored for a graph: one state of it, and the number of
/// that state.
#[tracing::instrument(name = "snapshots.compile", skip_all)]
pub(super) async fn compile(app: &App, graph: &str) -> Result<(Compiled, i64), ApiError> {
    let mut view = app.store.view().await?;
    let state = audit::last(&mut view).await?;
    let stored = graphs::find(&mut view, graph).await?;
    let sdl = schemas::find(&mut view, graph, &stored.schema_tag).await?;
    let bundle = policies::find(&mut view, &stored.bundle).await?;
    let operations = catalogue::active(&mut view, graph).await?;
    let tenants = tenants::all(&mut view).await?;
    let step_up = step_up::settings(&mut view, &app.issuer).await?;
    view.commit().await?;
    let config = config(graph, &stored, &tenants, step_up)?;
    let (metrics, name) = (app.metrics.clone(), graph.to_owned());
    let work = move || {
        let schema = Schema::parse(&sdl, Limits::SCHEMA).map_err(ApiError::invalid)?;
        let imported = import(&schema, operations, Limits::DOCUMENT, &mut |_, _| ());
        if !imported.rejected.is_empty() {
            let rejected = imported.rejected.iter().map(|reject| {
                let reasons: Vec<_> = reject.reasons.iter().map(ToString::to_string).collect();
                format!("{}: {}", reject.ids.join(", "), reasons.join("; "))
            });
            metrics.schema_break(&name);
            return Err(ApiError::Invalid(rejected.collect()));
        }
        let input = Input {
            config: &config,
            imports: vec![imported],
            bundle: &bundle,
        };
        ig_snapshot::compile(input).map_err(|error| ApiError::chain(&error))
    };
    let compiled = tokio::task::spawn_blocking(work)
        .await
        .map_err(ApiError::Task)??;
    Ok((compiled, state))
}

/// Puts the parts of `guard.toml` together, so that one reader judges them.
fn config(
    graph: &str,
    stored: &graphs::Graph,
    tenants: &std::collections::BTreeMap<String, ig_contract::snapshot::Tenant>,
    step_up: Table,
) -> Result<Config, ApiError> {
    let mut table: Table = stored.settings.parse().map_err(ApiError::invalid)?;
    // Without a directory nobody says which tokens were used, so none counts.
    if table.contains_key("directory") {
        let own = table
            .entry("step-up")
            .or_insert_with(|| Table::new().into());
        if let Some(own) = own.as_table_mut() {
            own.extend(step_up);
        }
    }
    table.insert("version".into(), ig_snapshot::CONFIG_VERSION.into());
    table.insert("graph".into(), graph.into());
    table.insert("schema-tag".into(), stored.schema_tag.as_str().into());
    let mut all = Table::new();
    for (id, tenant) in tenants {
        all.insert(id.clone(), Value::Table(one_tenant(tenant)?));
    }
    table.insert("tenants".into(), all.into());
    let text = toml::to_string(&table).map_err(ApiError::invalid)?;
    Config::parse(&text).map_err(|problems| {
        let problems = problems.0.into_iter();
        ApiError::Invalid(
            problems
                .map(|one| format!("{}: {}", one.path, one.message))
                .collect(),
        )
    })
}

fn one_tenant(tenant: &ig_contract::snapshot::Tenant) -> Result<Table, ApiError> {
    let mut table = Table::new();
    if let Some(region) = &tenant.region {
        table.insert("region".into(), region.as_str().into());
    }
    let purposes = Value::try_from(&tenant.purposes).map_err(ApiError::invalid)?;
    table.insert("purposes".into(), purposes);
    let by_group = Value::try_from(&tenant.purposes_by_group).map_err(ApiError::invalid)?;
    table.insert("purposes-by-group".into(), by_group);
    let issuers = Value::try_from(&tenant.issuers).map_err(ApiError::invalid)?;
    table.insert("issuers".into(), issuers);
    if let Some(modes) = &tenant.modes {
        let mut one = Table::new();
        let mode = |mode| Value::try_from(mode).map_err(ApiError::invalid);
        one.insert("persisted-query".into(), mode(modes.persisted_query)?);
        one.insert("policy".into(), mode(modes.policy)?);
        one.insert("step-up".into(), mode(modes.step_up)?);
        one.insert("rate-limit".into(), mode(modes.rate_limit)?);
        one.insert("residency".into(), mode(modes.residency)?);
        table.insert("modes".into(), one.into());
    }
    if let Some(percent) = tenant.rate_percent {
        table.insert("rate-percent".into(), i64::from(percent).into());
    }
    table.insert("priority".into(), tenant.priority.as_str().into());
    Ok(table)
}
