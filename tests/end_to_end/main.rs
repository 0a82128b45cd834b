//! `deployer` as a user types it, judged by the services' own APIs, a browser, cfn-lint and checkov, not by its own code.
//!
//! Every test has its own project folder and state, and its own emulator or a region of one; all of it is gone afterwards.
//! Nothing but loopback is reached, except that the first run on a machine installs the pinned emulator, cfn-lint, checkov,
//! the AWS CLI, cargo-lambda and what judges OpenAPI documents into the user's cache.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it needed by failing")]

mod support;

mod api_changes;
mod apps;
mod as_specified;
mod aws_answers;
mod backup;
mod bad_input;
mod browser;
mod cases;
mod ci;
mod command_line;
mod conflicts;
mod diff;
mod down;
mod edge_functions;
mod faults;
mod found;
mod generators;
mod graph_input;
mod growth;
mod guard;
mod help;
mod identity;
mod init;
mod interaction;
mod interrupted;
mod invoke;
mod killed;
mod kinds;
mod large_templates;
mod layout;
mod local;
mod logs;
mod migration;
mod network;
mod openapi;
mod ownership;
mod packages;
mod permissions;
mod place;
mod plan;
mod plan_file;
mod programs;
mod protection;
mod publish;
mod releases;
mod scripted;
mod scripts;
mod seed;
mod seeded_once;
mod sharing;
mod site;
mod site_addresses;
mod site_policy;
mod snapshots;
mod stages;
mod status;
mod strings;
mod template_language;
mod templates;
mod two_runs;
mod verify;
mod watch;
