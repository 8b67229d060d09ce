//! Policy bundles. A revision means one bundle for ever; it is compiled and
//! its tests are run before it is taken.

mod activation;

use axum::extract::State;
use axum::http::StatusCode;
use ig_snapshot::{Bundle, TestStatus, compile_policy, run_tests, unpack};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::{AnyConnection, FromRow};
use utoipa::ToSchema;

pub(crate) use activation::*;

use crate::app::{App, is_name};
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Binary, Json, Path};
use crate::store::{is_conflict, now};

/// A bundle that was taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct PushedBundle {
    revision: String,
    /// How many tests it passed.
    tests: i64,
}

/// A bundle.
#[derive(Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedBundle {
    revision: String,
    /// Of the archive.
    sha256: String,
    /// How many tests it passed.
    tests: i64,
    created_at: i64,
    created_by: String,
}

/// Push a policy bundle: OPA's `.tar.gz`, with a revision in its manifest.
///
/// It is compiled, and its tests have to pass. The same again is no change.
#[utoipa::path(post, path = "/policies/bundles", tag = "policies",
    security(("bearer" = ["publisher"])),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "It was there already", body = PushedBundle),
        (status = 201, description = "It is there now", body = PushedBundle),
        (status = 409, description = "The revision is another bundle", body = Problem),
    ))]
pub(crate) async fn push(
    State(app): State<App>,
    by: Principal,
    Binary(archive): Binary,
) -> Result<(StatusCode, Json<PushedBundle>), ApiError> {
    by.require(Role::Publisher)?;
    let checked = archive.clone();
    let (revision, tests) = tokio::task::spawn_blocking(move || check(&checked))
        .await
        .map_err(ApiError::Task)??;
    let sha256 = hex::encode(Sha256::digest(&archive));
    let mut transaction = app.store.begin().await?;
    let inserted = sqlx::query(
        "INSERT INTO bundles (revision, archive, sha256, tests, created_at, created_by) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(revision.as_str())
    .bind(archive.to_vec())
    .bind(sha256.as_str())
    .bind(tests)
    .bind(now())
    .bind(by.name.as_str())
    .execute(&mut *transaction)
    .await;
    let status = match inserted {
        Ok(_) => StatusCode::CREATED,
        Err(error) if is_conflict(&error) => {
            drop(transaction);
            let there: String =
                sqlx::query_scalar("SELECT sha256 FROM bundles WHERE revision = $1")
                    .bind(revision.as_str())
                    .fetch_one(app.store.pool())
                    .await?;
            return match there == sha256 {
                true => Ok((StatusCode::OK, Json(PushedBundle { revision, tests }))),
                false => Err(ApiError::Conflict(format!(
                    "revision {revision} is another bundle already; give this one a new revision"
                ))),
            };
        }
        Err(error) => return Err(error.into()),
    };
    let change = Change {
        action: "policy.push",
        target: &revision,
        before: None,
        after: Some(&sha256),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok((status, Json(PushedBundle { revision, tests })))
}

/// The bundle's revision and how many tests it passed.
fn check(archive: &[u8]) -> Result<(String, i64), ApiError> {
    let bundle = read(archive)?;
    let revision = bundle.manifest.revision.clone();
    if !is_name(&revision) {
        return Err(ApiError::invalid(
            "the manifest's revision has 1 to 64 letters, digits, `.`, `_` or `-`",
        ));
    }
    compile_policy(&bundle).map_err(|error| ApiError::chain(&error))?;
    let started = std::time::Instant::now();
    let report = run_tests(&bundle, "", &mut || started.elapsed())
        .map_err(|error| ApiError::chain(&error))?;
    let failed: Vec<_> = report
        .results
        .iter()
        .filter(|result| !matches!(result.status, TestStatus::Pass | TestStatus::Skip))
        .map(|result| format!("the test {}.{} did not pass", result.package, result.name))
        .collect();
    if !failed.is_empty() {
        return Err(ApiError::Invalid(failed));
    }
    // A skipped test tries nothing.
    let passed = report.results.iter();
    let passed = passed.filter(|result| matches!(result.status, TestStatus::Pass));
    match passed.count() {
        0 => Err(ApiError::invalid(
            "the bundle has no test: a policy that nothing tries is not taken",
        )),
        passed => Ok((revision, i64::try_from(passed).unwrap_or(i64::MAX))),
    }
}

fn read(archive: &[u8]) -> Result<Bundle, ApiError> {
    let files =
        unpack(archive).map_err(|error| ApiError::invalid(format!("the bundle {error}")))?;
    Bundle::from_files(files).map_err(ApiError::invalid)
}

/// List bundles, the last first.
#[utoipa::path(get, path = "/policies/bundles", tag = "policies",
    security(("bearer" = ["viewer"])), responses((status = 200, body = Vec<ListedBundle>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<Vec<ListedBundle>>, ApiError> {
    by.require(Role::Viewer)?;
    let bundles = sqlx::query_as(
        "SELECT revision, sha256, tests, created_at, created_by FROM bundles \
         ORDER BY created_at DESC, revision",
    )
    .fetch_all(app.store.pool())
    .await?;
    Ok(Json(bundles))
}

/// Get a bundle's archive.
#[utoipa::path(get, path = "/policies/bundles/{revision}", tag = "policies",
    security(("bearer" = ["viewer"])), params(("revision" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = Problem),
    ))]
pub(crate) async fn get(
    State(app): State<App>,
    by: Principal,
    Path(revision): Path<String>,
) -> Result<Vec<u8>, ApiError> {
    by.require(Role::Viewer)?;
    archive(&mut *app.store.pool().acquire().await?, &revision).await
}

/// A bundle that was pushed.
pub(crate) async fn find(
    connection: &mut AnyConnection,
    revision: &str,
) -> Result<Bundle, ApiError> {
    read(&archive(connection, revision).await?)
}

async fn archive(connection: &mut AnyConnection, revision: &str) -> Result<Vec<u8>, ApiError> {
    sqlx::query_scalar("SELECT archive FROM bundles WHERE revision = $1")
        .bind(revision)
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| ApiError::NotFound(format!("the bundle {revision}")))
}
