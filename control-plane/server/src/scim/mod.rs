//! `/scim/v2`: users and groups of a tenant, by its identity provider
//! (RFC 7643, 7644, 9865). The tenant is that of the token, in every query.

mod answer;
mod bulk;
mod caller;
mod change;
mod conditions;
mod cursor;
mod discovery;
mod me;
mod members;
mod page;
mod query;
mod render;
mod rows;
mod search;
mod sql;
mod turns;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use ig_scim::{Error, ErrorKind, Projection, ResourceType};

use self::answer::{Answer, Refusal};
use self::caller::{Body, Caller, MAX_BODY_BYTES, Path, Query};
use self::conditions::Conditions;
use self::query::Search;
pub(crate) use self::rows::name_as_compared;
pub(crate) use self::turns::Turns;
use crate::app::App;
use crate::error::ApiError;

type Parameters = Query<Vec<(String, String)>>;

const PREFIX: &str = "/scim/v2";

/// Every route at and below `/scim/v2`.
pub(crate) fn routes() -> Router<App> {
    // Some write the address with a slash behind it.
    let root = get(list_all).fallback(no_method);
    Router::new()
        .nest(PREFIX, below())
        .route(&format!("{PREFIX}/"), root)
}

/// The answer to a request that took too long, if it is one of these.
pub(crate) fn timed_out(path: &str) -> Option<Response> {
    let rest = path.strip_prefix(PREFIX)?;
    let is_below = rest.is_empty() || rest.starts_with('/');
    is_below.then(|| Refusal::from(ApiError::Timeout).into_response())
}

async fn no_method() -> Refusal {
    let detail = "this path does not take the method";
    Error::new(ErrorKind::MethodNotAllowed, detail).into()
}

fn below() -> Router<App> {
    let mut router = Router::new()
        .route("/ServiceProviderConfig", get(discovery::config))
        .route("/Schemas", get(discovery::schemas))
        .route("/Schemas/{id}", get(discovery::schema_of))
        .route("/ResourceTypes", get(discovery::resource_types))
        .route("/ResourceTypes/{id}", get(discovery::resource_type_of))
        .route("/Bulk", post(bulk_request))
        .route("/.search", post(search_all))
        .route("/Me", me::routes())
        .route("/", get(list_all));
    for of in ResourceType::ALL {
        let path = of.endpoint();
        router = router
            .route(path, collection(of))
            // As clients by Microsoft's collection ask.
            .route(&format!("{path}/"), collection(of))
            .route(&format!("{path}/.search"), search_route(of))
            .route(&format!("{path}/{{id}}"), resource(of));
    }
    router
        .fallback(|| async { Refusal::from(Error::new(ErrorKind::NotFound, "nothing is here")) })
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

fn projection(parameters: &[(String, String)]) -> Result<Projection, Error> {
    Ok(Search::of_url(parameters)?.projection)
}

fn collection(of: ResourceType) -> MethodRouter<App> {
    let list = move |State(app): State<App>, caller: Caller, Query(parameters): Parameters| async move {
        let search = Search::of_url(&parameters)?;
        search::search(app, caller, Some(of), search).await
    };
    let create = move |State(app): State<App>,
                       caller: Caller,
                       Query(parameters): Parameters,
                       Body(body): Body| async move {
        let projection = projection(&parameters)?;
        change::create(&app, &caller, of, &body, &projection).await
    };
    get(list).post(create)
}

fn search_route(of: ResourceType) -> MethodRouter<App> {
    let search = move |State(app): State<App>, caller: Caller, Body(body): Body| async move {
        let search = Search::of_body(&body)?;
        search::search(app, caller, Some(of), search).await
    };
    post(search)
}

fn resource(of: ResourceType) -> MethodRouter<App> {
    let read = move |State(app): State<App>,
                     caller: Caller,
                     Path(id): Path<String>,
                     Query(parameters): Parameters,
                     headers: HeaderMap| async move {
        let projection = projection(&parameters)?;
        read(
            &app,
            &caller,
            of,
            &id,
            &Conditions::of(&headers),
            &projection,
        )
        .await
    };
    let replace = move |State(app): State<App>,
                        caller: Caller,
                        Path(id): Path<String>,
                        Query(parameters): Parameters,
                        headers: HeaderMap,
                        Body(body): Body| async move {
        let projection = projection(&parameters)?;
        let conditions = Conditions::of(&headers);
        change::replace(&app, &caller, of, &id, &body, &conditions, &projection).await
    };
    let patch = move |State(app): State<App>,
                      caller: Caller,
                      Path(id): Path<String>,
                      Query(parameters): Parameters,
                      headers: HeaderMap,
                      Body(body): Body| async move {
        let projection = projection(&parameters)?;
        let conditions = Conditions::of(&headers);
        change::patch(&app, &caller, of, &id, &body, &conditions, &projection).await
    };
    let delete = move |State(app): State<App>,
                       caller: Caller,
                       Path(id): Path<String>,
                       headers: HeaderMap| async move {
        change::delete(&app, &caller, of, &id, &Conditions::of(&headers)).await
    };
    get(read).put(replace).patch(patch).delete(delete)
}

async fn read(
    app: &App,
    caller: &Caller,
    of: ResourceType,
    id: &str,
    conditions: &Conditions,
    projection: &Projection,
) -> Result<Answer, Refusal> {
    let mut view = app.store.view().await?;
    let stored = rows::find(&mut view, &caller.tenant, of, id).await?;
    // Groups of a user are no part of its version: whoever asks for them gets
    // them.
    let has_more = of == ResourceType::User && projection.wants(of, "groups");
    if conditions.is_known(&stored) && !has_more {
        return Ok(Answer {
            version: Some(stored.version_tag()),
            ..Answer::empty(StatusCode::NOT_MODIFIED)
        });
    }
    let one = std::slice::from_ref(&stored);
    let rendered = render::render(&mut view, caller, one, projection).await?;
    view.commit().await?;
    Ok(Answer {
        body: rendered.into_iter().next(),
        version: Some(stored.version_tag()),
        location: Some(render::location(caller, &stored)),
        ..Answer::empty(StatusCode::OK)
    })
}

async fn list_all(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Parameters,
) -> Result<Answer, Refusal> {
    let search = Search::of_url(&parameters)?;
    search::search(app, caller, None, search).await
}

async fn search_all(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body,
) -> Result<Answer, Refusal> {
    let search = Search::of_body(&body)?;
    search::search(app, caller, None, search).await
}

async fn bulk_request(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body,
) -> Result<Answer, Refusal> {
    bulk::run(&app, &caller, &body).await
}

/// Names of the groups that a user is in, also by other groups.
pub(crate) async fn groups_of(
    connection: &mut sqlx::AnyConnection,
    tenant: &str,
    user: &str,
) -> Result<std::collections::BTreeSet<String>, sqlx::Error> {
    let above = members::above(connection, tenant, user).await?;
    Ok(above.into_values().collect())
}
