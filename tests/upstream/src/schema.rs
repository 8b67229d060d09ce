//! The executable schema; `persisted-queries/schema.graphql` is its contract.

use std::time::Duration;

use async_graphql::{
    ComplexObject, Context, Error, ID, InputObject, Object, Result, Schema, SimpleObject,
    Subscription,
};
use async_stream::stream;
use axum::http::{HeaderMap, header};
use futures_util::Stream;
use sha2::{Digest as _, Sha256};

use crate::exports::{self, ExportService, Signed};
use crate::store::{Asset, CaseRow, NewAsset, Store, Tenant};

/// The schema of the demo upstream over its data.
pub(crate) type InvestigationSchema = Schema<Query, Mutation, Events>;

const TENANT: &str = "x-ig-tenant";
const EVENT_INTERVAL: Duration = Duration::from_millis(100);
/// Keeps a mistaken `first` or `count` from asking for an endless answer.
const MOST: usize = 1000;
/// Credentials show that they arrived, never what they are.
const MASKED: [header::HeaderName; 3] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
];

/// A fresh schema over the demo data, and who signs exports.
pub(crate) fn schema(exports: Option<ExportService>) -> InvestigationSchema {
    let schema = Schema::build(Query, Mutation, Events).data(Store::demo());
    let schema = match exports {
        Some(exports) => schema.data(exports),
        None => schema,
    };
    schema.finish()
}

/// The headers of the request that is executed.
pub(crate) struct Caller(HeaderMap);

impl Caller {
    pub(crate) fn new(headers: HeaderMap) -> Self {
        Self(headers)
    }

    fn tenant(&self) -> Result<Tenant> {
        let mut values = self.0.get_all(TENANT).iter();
        let id = values
            .next()
            .ok_or_else(|| Error::new("x-ig-tenant is missing"))?;
        if values.next().is_some() {
            return Err(Error::new("x-ig-tenant occurs twice"));
        }
        id.to_str()
            .ok()
            .and_then(Store::tenant)
            .ok_or_else(|| Error::new("unknown tenant"))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|value| value.to_str().ok())
    }
}

fn store<'a>(ctx: &Context<'a>) -> Result<&'a Store> {
    ctx.data::<Store>()
}

fn caller<'a>(ctx: &Context<'a>) -> Result<&'a Caller> {
    ctx.data::<Caller>()
}

fn limit(first: i32) -> Result<usize> {
    usize::try_from(first)
        .ok()
        .filter(|first| *first <= MOST)
        .ok_or_else(|| Error::new(format!("must be between 0 and {MOST}")))
}

/// Root of queries.
pub(crate) struct Query;

#[Object]
impl Query {
    async fn tenant(&self, ctx: &Context<'_>) -> Result<Tenant> {
        caller(ctx)?.tenant()
    }

    async fn case(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Case>> {
        let tenant = caller(ctx)?.tenant()?;
        Ok(store(ctx)?.case(&tenant.id, &id).map(Case::from))
    }

    async fn cases(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 10)] first: i32,
    ) -> Result<Vec<Case>> {
        let tenant = caller(ctx)?.tenant()?;
        let cases = store(ctx)?.cases(&tenant.id, limit(first)?);
        Ok(cases.into_iter().map(Case::from).collect())
    }

    async fn asset(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Asset>> {
        let tenant = caller(ctx)?.tenant()?;
        Ok(store(ctx)?.asset(&tenant.id, &id))
    }

    async fn search_all_tenants(
        &self,
        ctx: &Context<'_>,
        term: String,
        #[graphql(default = 10)] first: i32,
    ) -> Result<Vec<Asset>> {
        // The answer is not scoped, but the caller must still be somebody.
        caller(ctx)?.tenant()?;
        Ok(store(ctx)?.search(&term, limit(first)?))
    }

    async fn request_headers(&self, ctx: &Context<'_>) -> Result<Vec<Header>> {
        let mut headers: Vec<_> = caller(ctx)?
            .0
            .iter()
            .map(|(name, value)| Header {
                name: name.to_string(),
                value: if MASKED.contains(name) {
                    "***".to_owned()
                } else {
                    String::from_utf8_lossy(value.as_bytes()).into_owned()
                },
            })
            .collect();
        // Stable: values of one name stay in the order they came.
        headers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(headers)
    }
}

/// Root of mutations.
pub(crate) struct Mutation;

#[Object]
impl Mutation {
    async fn create_asset(&self, ctx: &Context<'_>, input: CreateAssetInput) -> Result<Asset> {
        let created = create(ctx, vec![input])?;
        created
            .into_iter()
            .next()
            .ok_or_else(|| Error::new("nothing was created"))
    }

    async fn create_assets(
        &self,
        ctx: &Context<'_>,
        inputs: Vec<CreateAssetInput>,
    ) -> Result<Vec<Asset>> {
        create(ctx, inputs)
    }

    async fn export_assets(
        &self,
        ctx: &Context<'_>,
        ids: Vec<ID>,
        license_class: Option<String>,
        destination: Option<DestinationInput>,
    ) -> Result<Export> {
        let caller = caller(ctx)?;
        let tenant = caller.tenant()?;
        let store = store(ctx)?;
        let mut items = Vec::with_capacity(ids.len());
        let mut classes = Vec::new();
        for id in &ids {
            let asset = store
                .asset(&tenant.id, id)
                .ok_or_else(|| Error::new(format!("no asset {} in this tenant", **id)))?;
            // The policy decided by the stated class: it has to be the true one.
            if license_class
                .as_deref()
                .is_some_and(|class| class != asset.license_class)
            {
                return Err(Error::new(format!(
                    "asset {} has another licence class",
                    **id
                )));
            }
            if !classes.contains(&asset.license_class) {
                classes.push(asset.license_class);
            }
            items.push(ExportItem {
                id: asset.id,
                sha256: asset.sha256,
            });
        }
        let listed = items.iter();
        let listed = listed.map(|i| serde_json::json!({"id": *i.id, "sha256": i.sha256}));
        let listed: Vec<_> = listed.collect();
        let Ok(service) = ctx.data::<ExportService>() else {
            return Ok(unsigned(caller, &tenant, items, &listed));
        };
        // Where the export goes is for policies to judge.
        let destination = destination.and_then(|destination| destination.tos);
        let body = exports::body(listed, classes, destination);
        let Signed { manifest_sha, sig } = service.sign(&caller.0, body).await?;
        Ok(Export {
            manifest_sha,
            sig: Some(sig),
            items,
        })
    }
}

/// An export that nobody signs.
fn unsigned(
    caller: &Caller,
    tenant: &Tenant,
    items: Vec<ExportItem>,
    listed: &[serde_json::Value],
) -> Export {
    let manifest = serde_json::json!({
        "version": "0.2",
        "items": listed,
        "createdBy": caller.text("x-ig-actor"),
        "tenant": *tenant.id,
        "purpose": caller.text("x-ig-purpose"),
    });
    Export {
        manifest_sha: hex::encode(Sha256::digest(manifest.to_string())),
        sig: None,
        items,
    }
}

fn create(ctx: &Context<'_>, inputs: Vec<CreateAssetInput>) -> Result<Vec<Asset>> {
    let tenant = caller(ctx)?.tenant()?;
    let new = inputs.into_iter().map(NewAsset::from).collect();
    store(ctx)?.create(&tenant.id, new).map_err(Error::new)
}

/// Root of subscriptions.
pub(crate) struct Events;

#[Subscription(name = "Subscription")]
impl Events {
    async fn case_events(
        &self,
        ctx: &Context<'_>,
        case_id: ID,
        #[graphql(default = 3)] count: i32,
    ) -> Result<impl Stream<Item = CaseEvent> + use<>> {
        let tenant = caller(ctx)?.tenant()?;
        if store(ctx)?.case(&tenant.id, &case_id).is_none() {
            return Err(Error::new(format!("no case {} in this tenant", *case_id)));
        }
        limit(count)?;
        Ok(stream! {
            for sequence in 1..=count {
                if sequence > 1 {
                    tokio::time::sleep(EVENT_INTERVAL).await;
                }
                let kind = if sequence == 1 { "opened" } else { "updated" };
                yield CaseEvent { case_id: case_id.clone(), sequence, kind: kind.to_owned() };
            }
        })
    }
}

/// An investigation of one tenant.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct Case {
    id: ID,
    title: String,
    tenant: ID,
}

#[ComplexObject]
impl Case {
    async fn assets(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 10)] first: i32,
    ) -> Result<Vec<Asset>> {
        Ok(store(ctx)?.assets_of_case(&self.tenant, &self.id, limit(first)?))
    }
}

impl From<CaseRow> for Case {
    fn from(row: CaseRow) -> Self {
        Self {
            id: ID(row.id),
            title: row.title.to_owned(),
            tenant: ID::from(row.tenant),
        }
    }
}

/// What an export hands over.
#[derive(SimpleObject)]
pub(crate) struct Export {
    manifest_sha: String,
    sig: Option<String>,
    items: Vec<ExportItem>,
}

/// One exported asset.
#[derive(SimpleObject)]
pub(crate) struct ExportItem {
    id: ID,
    sha256: String,
}

/// Something that happened in a case.
#[derive(SimpleObject)]
pub(crate) struct CaseEvent {
    case_id: ID,
    sequence: i32,
    kind: String,
}

/// A request header as it arrived.
#[derive(SimpleObject)]
pub(crate) struct Header {
    name: String,
    value: String,
}

/// An asset to create.
#[derive(InputObject)]
pub(crate) struct CreateAssetInput {
    case_id: ID,
    #[graphql(default = "document")]
    kind: String,
    label: String,
    retention: Option<String>,
    pii: Option<bool>,
}

impl From<CreateAssetInput> for NewAsset {
    fn from(input: CreateAssetInput) -> Self {
        // `pii` is a fact for policies; the store keeps nothing of it.
        let CreateAssetInput {
            case_id,
            kind,
            label,
            retention,
            pii: _,
        } = input;
        Self {
            case_id: case_id.0,
            kind,
            label,
            retention,
        }
    }
}

/// Who receives an export.
#[derive(InputObject)]
pub(crate) struct DestinationInput {
    tos: Option<String>,
}
