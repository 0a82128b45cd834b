//! A way to a server that can be shut, so that a browser is offline for it and the server needs to know nothing of that.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::emulator::{pass_on, share_access};
use crate::lock;

/// A port of this machine behind which is another one, until it is shut. A local cloud is worked in through it as without.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_shut: AtomicBool,
    /// All that came through, so that they can be ended; some have ended by themselves.
    open: Mutex<Vec<TcpStream>>,
}

impl Gate {
    /// Opens one before what listens at the port `upstream`.
    ///
    /// # Errors
    /// There is no port.
    pub fn before(upstream: u16) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        share_access(upstream, port);
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        // Ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.is_shut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(kept) = client.try_clone() else { continue };
                lock(&shared.open).push(kept);
                std::thread::spawn(move || pass_on(&client, upstream));
            }
        });
        Ok(Self { port, state })
    }

    /// Where it is.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends all connections, and lets nobody in.
    pub fn shut(&self) {
        self.state.is_shut.store(true, Ordering::SeqCst);
        for stream in lock(&self.state.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets everybody in again.
    pub fn open(&self) {
        self.state.is_shut.store(false, Ordering::SeqCst);
    }
}
