//! A web app that leaves the work to workers.
//!
//! `POST /reports` enqueues a task and answers at once, with where its result will be. `GET /reports/{id}` waits for it for a
//! moment; who comes too early is told to come again.
//!
//! ```sh
//! cargo run -p example-web-app --bin web-app                              # the app, on 127.0.0.1:3000
//! cargo run -p example-web-app --bin web-app-worker -- -n 4 -q localhost:6379
//! curl -i -H 'content-type: application/json' -d '{"text": "one two two"}' http://127.0.0.1:3000/reports
//! ```

mod error;
mod tasks;

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
    routing::{get, post},
};
use task_core::{TaskId, TaskQueue};

pub use error::AppError;
pub use tasks::{Report, WriteReport, write_report};

/// For how long a request waits for a result.
const PATIENCE: Duration = Duration::from_secs(5);

/// The app, on any queue.
pub fn app(queue: TaskQueue) -> Router {
    Router::new().route("/reports", post(order_report)).route("/reports/{id}", get(report)).with_state(queue)
}

async fn order_report(
    State(queue): State<TaskQueue>,
    Json(params): Json<WriteReport>,
) -> Result<impl IntoResponse, AppError> {
    let report = queue.enqueue(params).await?;
    Ok((StatusCode::ACCEPTED, [(LOCATION, format!("/reports/{}", report.id()))]))
}

async fn report(State(queue): State<TaskQueue>, Path(id): Path<TaskId>) -> Result<Json<Report>, AppError> {
    Ok(Json(queue.handle::<WriteReport>(id).result(PATIENCE).await?))
}
