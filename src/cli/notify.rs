//! Tells systemd that the gateway is ready, or that it stops.
//!
//! Guarantees: without systemd nothing happens; a message that cannot be sent
//! stops nothing. What it does not: keep a watchdog content.

use std::{
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

/// What systemd is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    /// Every part runs.
    Ready,
    /// The parts are being stopped.
    Stopping,
}

impl Word {
    const fn wire(self) -> &'static [u8] {
        match self {
            Self::Ready => b"READY=1",
            Self::Stopping => b"STOPPING=1",
        }
    }
}

/// Tells systemd, if it listens.
pub(super) fn tell(word: Word) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&socket, word.wire()) {
        tracing::warn!(%error, "cannot tell systemd how we are");
    }
}

fn send(socket: &OsStr, message: &[u8]) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(message, &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_reaches_a_socket_with_a_path_and_one_without() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("causeway-test-{}", std::process::id());
        let table = [
            (path.clone().into_os_string(), UnixDatagram::bind(&path).unwrap()),
            (
                format!("@{name}").into(),
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap(),
            ),
        ];
        for (address, socket) in table {
            send(&address, Word::Ready.wire()).unwrap();
            let mut heard = [0; 64];
            let length = socket.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], b"READY=1", "{}", address.display());
        }
    }
}
