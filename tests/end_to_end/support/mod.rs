//! What the tests stand on: a private emulator each, a copy of the project, the command, and the services' own APIs.

pub(crate) mod clients;
pub(crate) mod command;
pub(crate) mod document;
pub(crate) mod emulator;
pub(crate) mod faults;
pub(crate) mod function;
pub(crate) mod http;
pub(crate) mod project;
pub(crate) mod proxy;
pub(crate) mod tools;

pub(crate) use clients::Clients;
pub(crate) use command::{Deployer, Ran};
pub(crate) use emulator::Emulator;
pub(crate) use project::Project;
pub(crate) use proxy::{Proxy, Seen};

/// A port that nothing listens on at this moment.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("loopback has a free port")
        .port()
}
