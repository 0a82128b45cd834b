//! What these tests add to what all tests stand on (the crate `test-support`): a copy of the project, the services' own
//! APIs, what the command's documents say.

pub(crate) mod clients;
pub(crate) mod document;
pub(crate) mod function;
pub(crate) mod project;

pub(crate) use clients::Clients;
pub(crate) use project::Project;
pub(crate) use test_support::{
    Checked, Deployer, Emulator, Port, Proxy, Ran, Running, Seen, answers, documents, emulator, faults, http, terminal,
    tools,
};
