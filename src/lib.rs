//! Takes a project folder (`stacks/`, `function/`, `site/`) to a running serverless app, and back to nothing.
//!
//! [`run()`] is the way in; [`commands`] says what each command does. [`project`] reads the user's folder, [`stack`]
//! knows CloudFormation, [`cloud`] holds the clients, [`local`] runs a cloud on this machine, `venv` installs what isn't
//! Rust; a [`context`] is a stage in its cloud. What templates can't do is in [`package`], [`site`], [`publish`],
//! [`seeding`], [`backup`], [`releases`], [`bucket`], [`table`] and [`logs`]. [`address`] knows where it is found, [`conflicts`] finds taken names
//! before, [`readiness`] waits for what is made after, and [`verify`] proves it. All waiting is [`wait`]'s, parts tell one
//! another by [`promise`]s, and only [`report`] prints.

mod address;
mod backup;
mod bucket;
mod child;
mod cli;
mod clock;
mod cloud;
mod commands;
mod completion;
mod conflicts;
mod context;
mod deployed;
mod document;
mod environment;
mod error;
mod http;
mod ident;
mod identity;
mod journal;
mod lease;
mod local;
mod lock;
mod logs;
mod network;
mod openapi;
mod package;
mod permissions;
mod private;
mod project;
mod promise;
mod publish;
mod quotas;
mod readiness;
mod releases;
mod report;
mod run;
mod seeding;
mod site;
mod site_build;
mod stack;
mod table;
#[cfg(test)]
mod testing;
mod text;
mod usage;
mod venv;
mod verify;
mod wait;
mod watching;

pub use cli::{Cli, definition};
pub use run::run;
