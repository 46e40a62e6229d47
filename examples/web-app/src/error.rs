use axum::{
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use task_core::{QueueError, ResultError};

/// Why a request has no good answer.
#[derive(Debug)]
pub enum AppError {
    /// The queue did not take the task.
    Queue(QueueError),
    /// There is no result.
    Result(ResultError),
}

impl From<QueueError> for AppError {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

impl From<ResultError> for AppError {
    fn from(error: ResultError) -> Self {
        Self::Result(error)
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let (status, why) = match &self {
            // not ready: who asks comes again
            Self::Result(error @ ResultError::TimedOut { .. }) => {
                return (StatusCode::ACCEPTED, [(RETRY_AFTER, "1")], error.to_string()).into_response();
            }
            Self::Result(error @ (ResultError::NotFound { .. } | ResultError::Expired { .. })) => {
                (StatusCode::NOT_FOUND, error.to_string())
            }
            Self::Result(error @ ResultError::Failed { .. }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
            Self::Result(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            Self::Queue(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        };
        (status, why).into_response()
    }
}
