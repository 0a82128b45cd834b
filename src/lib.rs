//! Takes a project folder (`stacks/`, `function/`, `site/`) to a running serverless app, and back to nothing.
//!
//! [`run::run`] is the way in; [`commands`] says what each command does. [`project`] reads the user's folder, [`stack`]
//! knows CloudFormation, [`cloud`] holds the clients, [`local`] runs a cloud on this machine, `venv` installs what isn't
//! Rust; a [`context`] is a stage in its cloud. What templates can't do is in [`package`], [`site`], [`publish`],
//! [`seeding`], [`bucket`], [`table`] and [`logs`]. [`address`] knows where it is found, [`conflicts`] finds taken names
//! before, [`readiness`] waits for what is made after, and [`verify`] proves it. All waiting is [`wait`]'s, parts tell one
//! another by [`promise`]s, and only [`report`] prints.

pub mod address;
pub mod bucket;
pub mod cli;
pub mod cloud;
pub mod commands;
pub mod conflicts;
pub mod context;
pub mod error;
mod http;
mod ident;
pub mod journal;
pub mod local;
mod lock;
pub mod logs;
pub mod package;
mod private;
pub mod project;
pub mod promise;
pub mod publish;
pub mod readiness;
pub mod report;
pub mod run;
pub mod seeding;
pub mod site;
pub mod stack;
pub mod table;
#[cfg(test)]
mod testing;
mod text;
mod venv;
pub mod verify;
pub mod wait;
