//! Secrets, and code that endangers its owner.

mod calls;
mod default_password;
mod destructive_file_operation;
mod env_tracked;
mod eval_exec_pickle;
mod ignore_comment;
mod key_in_url_logged;
pub(in crate::rules) mod leaked;
mod private_key;
mod runtime_install;
mod secret_in_head;
mod secret_in_history;
mod unauthenticated_destructive_route;

use crate::rule::{PythonRule, Rule};

/// Rules over the whole repository.
pub const RULES: &[&dyn Rule] = &[
    &secret_in_head::SecretInHead,
    &secret_in_history::SecretInHistory,
    &private_key::PrivateKey,
    &env_tracked::EnvTracked,
    &ignore_comment::IgnoreComment,
    &key_in_url_logged::KeyInUrlLogged,
    &eval_exec_pickle::EvalExecPickle,
    &runtime_install::RuntimeInstall,
    &destructive_file_operation::DestructiveFileOperation,
    &unauthenticated_destructive_route::UnauthenticatedDestructiveRoute,
    &default_password::DefaultPassword,
];

/// Rules over one Python file.
pub const PYTHON_RULES: &[&dyn PythonRule] = &[];
