//! `POST /v1/control`: the command line's way through a running daemon.
//!
//! One process writes the store. While a daemon runs, commands that change something send the same
//! [`Command`] here that they would execute themselves without one. Needs the token.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::problem;
use crate::control::{self, Command};
use crate::daemon::hub::Hub;

/// Executes one command and answers what came of it, refusals included.
pub(crate) async fn execute(
    State(hub): State<Hub>,
    command: Result<Json<Command>, axum::extract::rejection::JsonRejection>,
) -> Response {
    match command {
        Ok(Json(command)) => {
            // On a task of its own: a client that hangs up must not leave a command half done.
            let (answer, came) = tokio::sync::oneshot::channel();
            let controls = hub.controls().clone();
            hub.controls()
                .supervisor()
                .start_once("command", async move {
                    // Nobody waits for the answer where the client has gone.
                    drop(answer.send(control::execute(&controls, command).await));
                });
            match came.await {
                Ok(answer) => Json(answer).into_response(),
                Err(_panicked) => problem(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the command ended without an answer",
                    "this is a bug in Tradewind; its log says more",
                ),
            }
        }
        Err(error) => problem(
            StatusCode::BAD_REQUEST,
            "this is no command",
            &error.body_text(),
        ),
    }
}
