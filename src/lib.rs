//! Takes a project folder (`stacks/`, `function/`, `site/`) to a running three-tier serverless app, and back to nothing.
//!
//! [`run::run`] is the way in; [`commands`] says what each command does. [`project`] reads the user's folder, [`stack`]
//! knows CloudFormation, [`cloud`] holds the clients, [`local`] runs a cloud on this machine. [`package`], [`site`],
//! [`seeding`],
//! [`bucket`] and [`table`] do what templates can't. Only [`report`] prints.

pub mod bucket;
pub mod cli;
pub mod cloud;
pub mod commands;
pub mod conflicts;
pub mod error;
pub mod fact;
pub mod local;
pub mod package;
pub mod project;
pub mod readiness;
pub mod report;
pub mod run;
pub mod seeding;
pub mod site;
pub mod stack;
pub mod table;
pub mod wait;
