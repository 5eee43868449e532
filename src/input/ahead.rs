//! Standard input, read ahead by a thread of its own: so a reader can tell input that is late
//! from input that is there, and need not keep rows waiting for more.

use std::io::{Error, Read, Result};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;
/// Chunks that wait to be taken.
const WAITING: usize = 128;

/// A source that can be asked whether a read would wait.
pub(super) struct Ahead {
    chunks: Receiver<Result<Vec<u8>>>,
    /// What was received and not read; an error is given out once.
    current: Result<Vec<u8>>,
    at: usize,
    ended: bool,
}

impl Ahead {
    /// Starts to read. The thread ends with the source, or with its first chunk after this is dropped.
    pub(super) fn new(mut source: impl Read + Send + 'static) -> Result<Ahead> {
        let (sender, chunks) = sync_channel(WAITING);
        std::thread::Builder::new().name("standard input".into()).spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK];
                let got = match source.read(&mut chunk) {
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                    Ok(0) => return,
                    Ok(n) => {
                        chunk.truncate(n);
                        Ok(chunk)
                    }
                    Err(e) => Err(e),
                };
                let failed = got.is_err();
                if sender.send(got).is_err() || failed {
                    return;
                }
            }
        })?;
        Ok(Ahead { chunks, current: Ok(Vec::new()), at: 0, ended: false })
    }

    /// Gives bytes back that were read last.
    pub(super) fn put_back(&mut self, mut bytes: Vec<u8>) {
        if let Ok(current) = &self.current {
            bytes.extend_from_slice(&current[self.at..]);
            (self.current, self.at) = (Ok(bytes), 0);
        }
    }

    /// True when a read returns at once, or within `patience`: with bytes, an error, or the end.
    pub(super) fn ready(&mut self, patience: Duration) -> bool {
        if self.ended || self.current.as_ref().map_or(true, |c| self.at < c.len()) {
            return true;
        }
        (self.current, self.at) = (Ok(Vec::new()), 0);
        match self.chunks.recv_timeout(patience) {
            Ok(chunk) => self.current = chunk,
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => self.ended = true,
        }
        true
    }
}

impl Read for Ahead {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        while !self.ready(Duration::MAX) {}
        match &self.current {
            Ok(chunk) => {
                let n = out.len().min(chunk.len() - self.at);
                out[..n].copy_from_slice(&chunk[self.at..self.at + n]);
                self.at += n;
                Ok(n)
            }
            Err(_) => {
                self.at = 0;
                std::mem::replace(&mut self.current, Ok(Vec::new())).map(|_| 0)
            }
        }
    }
}

/// Text from anywhere.
pub(super) enum Source {
    /// A file: what is there is all there is.
    File(Box<dyn Read + Send>),
    /// Somebody may still be writing it.
    Live(Ahead),
}

impl Source {
    /// False when a read would wait longer than `patience`.
    pub(super) fn ready(&mut self, patience: Duration) -> bool {
        match self {
            Source::File(_) => true,
            Source::Live(ahead) => ahead.ready(patience),
        }
    }

    /// True when it may wait.
    pub(super) fn is_live(&self) -> bool {
        matches!(self, Source::Live(_))
    }
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> std::result::Result<usize, Error> {
        match self {
            Source::File(file) => file.read(out),
            Source::Live(ahead) => ahead.read(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn tells_late_from_there_and_from_the_end() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut ahead = Ahead::new(reader).unwrap();
        assert!(!ahead.ready(Duration::from_millis(1)));
        writer.write_all(b"abc").unwrap();
        assert!(ahead.ready(Duration::from_secs(60)));
        let mut two = [0; 2];
        assert_eq!((ahead.read(&mut two).unwrap(), &two), (2, b"ab"));
        assert!(ahead.ready(Duration::ZERO));
        assert_eq!((ahead.read(&mut two).unwrap(), two[0]), (1, b'c'));
        assert!(!ahead.ready(Duration::ZERO));
        drop(writer);
        assert!(ahead.ready(Duration::from_secs(60)));
        assert_eq!(ahead.read(&mut two).unwrap(), 0);
        assert_eq!(ahead.read(&mut two).unwrap(), 0);
    }
}
