//! CloudFormation as we use it.
//!
//! Pure: [`status`] (what a status means), [`change`] (what a change set means), [`events`] (causes of failures),
//! [`desired`] (a stack as the project wants it), [`digest`], [`ownership`] (whose a stack is), [`redeployment`] (redeploying an API
//! when its definition changes), [`emulated`] (a template as an emulator can serve it), [`protection`] (what keeps data), [`release`] (lifting that).
//! With calls: [`read`], `begun` (whether a request took effect whose answer got lost), [`change_set`], [`follow`], [`early`] (what is
//! known before a stack is complete), and on top of them [`deploy`] and [`remove`].

mod begun;
pub mod change;
pub mod change_set;
pub mod deploy;
pub mod desired;
pub mod digest;
pub mod early;
pub mod emulated;
pub mod events;
pub mod follow;
pub mod ownership;
pub mod protection;
pub mod read;
pub mod redeployment;
pub mod release;
pub mod remove;
pub mod status;
