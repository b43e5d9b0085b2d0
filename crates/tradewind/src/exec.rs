//! What `tradewind exec` puts between a program and the providers: a proxy of its own, an authority that only
//! that program believes, and an environment that leads its calls there.
//!
//! Why so: adopting the gateway must not cost a line of the bot. Hosts of the catalog are answered by the
//! gateway; everything else goes through untouched and unread. Start reading at [`proxy`].
//! Not here: what the gateway does with a call (`market`), the command line (`cli/exec.rs`).

pub(crate) mod authority;
pub(crate) mod door;
pub(crate) mod environment;
mod frames;
pub(crate) mod proxy;
pub(crate) mod shadow;
pub(crate) mod straight;
pub(crate) mod way;
