//! Policy bundles. A revision means one bundle for ever; it is compiled and
//! its tests are run before it is taken.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ig_snapshot::{Bundle, TestStatus, compile_policy, run_tests, unpack};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;

use crate::app::{App, is_name};
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::store::{is_conflict, now};

#[derive(Serialize)]
pub(crate) struct Pushed {
    revision: String,
    tests: usize,
}

#[derive(Serialize, FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    revision: String,
    sha256: String,
    created_at: i64,
    created_by: String,
}

/// `POST /policies/bundles`: a `.tar.gz`.
pub(crate) async fn push(
    State(app): State<App>,
    by: Principal,
    archive: Bytes,
) -> Result<(StatusCode, Json<Pushed>), ApiError> {
    by.require(Role::Publisher)?;
    let checked = archive.clone();
    let (revision, tests) = tokio::task::spawn_blocking(move || check(&checked))
        .await
        .map_err(ApiError::Task)??;
    let sha256 = hex::encode(Sha256::digest(&archive));
    let mut transaction = app.store.begin().await?;
    let inserted = sqlx::query(
        "INSERT INTO bundles (revision, archive, sha256, created_at, created_by) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(revision.as_str())
    .bind(archive.to_vec())
    .bind(sha256.as_str())
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
                    .fetch_one(app.store.read())
                    .await?;
            return match there == sha256 {
                true => Ok((StatusCode::OK, Json(Pushed { revision, tests }))),
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
    Ok((status, Json(Pushed { revision, tests })))
}

/// The bundle's revision and how many tests it passed.
fn check(archive: &[u8]) -> Result<(String, usize), ApiError> {
    let bundle = read(archive)?;
    let revision = bundle.manifest.revision.clone();
    if !is_name(&revision) {
        return Err(ApiError::invalid(
            "the manifest's revision has 1 to 64 letters, digits, `.`, `_` or `-`",
        ));
    }
    compile_policy(&bundle).map_err(|error| chain(&error))?;
    let started = std::time::Instant::now();
    let report =
        run_tests(&bundle, "", &mut || started.elapsed()).map_err(|error| chain(&error))?;
    let failed: Vec<_> = report
        .results
        .iter()
        .filter(|result| !matches!(result.status, TestStatus::Pass | TestStatus::Skip))
        .map(|result| format!("the test {}.{} did not pass", result.package, result.name))
        .collect();
    match failed.is_empty() {
        true => Ok((revision, report.results.len())),
        false => Err(ApiError::Invalid(failed)),
    }
}

fn read(archive: &[u8]) -> Result<Bundle, ApiError> {
    let files =
        unpack(archive).map_err(|error| ApiError::invalid(format!("the bundle {error}")))?;
    Bundle::from_files(files).map_err(ApiError::invalid)
}

fn chain(error: &dyn std::error::Error) -> ApiError {
    let causes = std::iter::successors(Some(error), |error| error.source());
    ApiError::Invalid(causes.map(ToString::to_string).collect())
}

/// `GET /policies/bundles`
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<Vec<Listed>>, ApiError> {
    by.require(Role::Viewer)?;
    let bundles = sqlx::query_as(
        "SELECT revision, sha256, created_at, created_by FROM bundles \
         ORDER BY created_at DESC, revision",
    )
    .fetch_all(app.store.read())
    .await?;
    Ok(Json(bundles))
}

/// `GET /policies/bundles/{revision}`: the archive.
pub(crate) async fn get(
    State(app): State<App>,
    by: Principal,
    Path(revision): Path<String>,
) -> Result<Vec<u8>, ApiError> {
    by.require(Role::Viewer)?;
    archive(&app, &revision).await
}

/// A bundle that was pushed.
pub(crate) async fn find(app: &App, revision: &str) -> Result<Bundle, ApiError> {
    read(&archive(app, revision).await?)
}

async fn archive(app: &App, revision: &str) -> Result<Vec<u8>, ApiError> {
    sqlx::query_scalar("SELECT archive FROM bundles WHERE revision = $1")
        .bind(revision)
        .fetch_optional(app.store.read())
        .await?
        .ok_or_else(|| ApiError::NotFound(format!("the bundle {revision}")))
}
