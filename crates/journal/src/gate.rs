//! The gate: which tables a statement may touch, decided when it is prepared.
//!
//! Why: rooms keep their own tables in the same store, so that one transaction can hold an event and
//! a debit. A slip in a room's SQL must not be able to change an event or to end the writer's
//! transaction. SQLite asks the gate about every table and command while it compiles a statement.
//! A statement that is found in the cache is not compiled again, so a room's statements carry a mark:
//! the same text from the journal itself is another statement.
//! What it is not: a protection from hostile code, which could open the file itself.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

const OWN_TABLES: &[&str] = &[
    "meta",
    "kinds",
    "events",
    "cursors",
    "checkpoints",
    "schedules",
    "outbox",
    "leases",
    "rooms",
];

/// On whose behalf statements are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The journal itself: anything.
    Own,
    /// A room: reads everything, writes only tables that are not the journal's.
    Room,
    /// A room's migration: may also make and drop what is named after its namespace.
    Migration(&'static str),
}

/// Holds the scope that statements are prepared in; set up once per connection.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    scope: Arc<Mutex<Scope>>,
}

/// Puts the scope back to [`Scope::Own`] when dropped.
#[derive(Debug)]
pub(crate) struct Entered<'a> {
    gate: &'a Gate,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.gate.set(Scope::Own);
    }
}

impl Gate {
    /// Puts a gate into `conn`.
    pub(crate) fn install(conn: &mut Connection) -> rusqlite::Result<Self> {
        let scope = Arc::new(Mutex::new(Scope::Own));
        let seen = Arc::clone(&scope);
        conn.authorizer(Some(move |context: AuthContext<'_>| {
            let scope = *seen.lock().unwrap_or_else(PoisonError::into_inner);
            if allows(scope, &context.action) {
                Authorization::Allow
            } else {
                Authorization::Deny
            }
        }))?;
        Ok(Self { scope })
    }

    /// Prepares statements in `scope` until the returned value is dropped.
    pub(crate) fn enter(&self, scope: Scope) -> Entered<'_> {
        self.set(scope);
        Entered { gate: self }
    }

    fn set(&self, scope: Scope) {
        *self.scope.lock().unwrap_or_else(PoisonError::into_inner) = scope;
    }
}

fn allows(scope: Scope, action: &AuthAction<'_>) -> bool {
    let namespace = match scope {
        Scope::Own => return true,
        Scope::Room => None,
        Scope::Migration(namespace) => Some(namespace),
    };
    let may_make = |name: &str| namespace.is_some_and(|namespace| belongs_to(name, namespace));
    match *action {
        AuthAction::Select
        | AuthAction::Read { .. }
        | AuthAction::Function { .. }
        | AuthAction::Recursive => true,
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. } => {
            let is_schema = table_name.starts_with("sqlite_");
            !OWN_TABLES.contains(&table_name) && (namespace.is_some() || !is_schema)
        }
        AuthAction::CreateTable { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::CreateVtable { table_name, .. }
        | AuthAction::DropVtable { table_name, .. } => may_make(table_name),
        AuthAction::CreateIndex {
            index_name,
            table_name,
        }
        | AuthAction::DropIndex {
            index_name,
            table_name,
        } => may_make(index_name) && may_make(table_name),
        AuthAction::CreateTrigger {
            trigger_name,
            table_name,
        }
        | AuthAction::DropTrigger {
            trigger_name,
            table_name,
        } => may_make(trigger_name) && may_make(table_name),
        AuthAction::CreateView { view_name } | AuthAction::DropView { view_name } => {
            may_make(view_name)
        }
        AuthAction::Reindex { .. } | AuthAction::Analyze { .. } => namespace.is_some(),
        // Full-text search asks this of itself while it works.
        AuthAction::Pragma { pragma_name, .. } => pragma_name == "data_version",
        // Transactions belong to the writer; other files and temporary tables to nobody.
        _ => false,
    }
}

/// Says whether a table or index of this name belongs to the room with that namespace.
fn belongs_to(name: &str, namespace: &str) -> bool {
    let name = name.strip_prefix("sqlite_autoindex_").unwrap_or(name);
    name.strip_prefix(namespace)
        .is_some_and(|rest| rest.starts_with('_'))
}
