//! CloudFormation as we use it.
//!
//! Pure: [`status`] (what a status means), [`change`] (what a change set means), [`events`] (causes of failures),
//! [`desired`] (a stack as the project wants it), [`digest`], [`ownership`] (whose a stack is), [`redeployment`] (redeploying an API
//! when its definition changes), [`emulated`] (a template as an emulator can serve it), [`protection`] (what keeps data), [`release`] (lifting that).
//! With calls: [`read`], `begun` (whether a request took effect whose answer got lost), `submitted` (how a template reaches it), [`change_set`], [`follow`], [`early`] (what is
//! known before a stack is complete), and on top of them [`deploy`] and [`remove`].

mod begun;
mod boundary;
pub(crate) mod change;
pub(crate) mod change_set;
pub(crate) mod deploy;
pub(crate) mod desired;
pub(crate) mod digest;
pub(crate) mod drift;
pub(crate) mod early;
pub(crate) mod emulated;
pub(crate) mod events;
pub(crate) mod follow;
pub(crate) mod ownership;
pub(crate) mod partition;
pub(crate) mod permissions;
pub(crate) mod protection;
pub(crate) mod read;
pub(crate) mod redeployment;
pub(crate) mod release;
pub(crate) mod remove;
pub(crate) mod status;
mod submitted;
pub(crate) mod termination;
pub(crate) mod values;
