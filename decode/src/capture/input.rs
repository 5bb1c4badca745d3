//! The byte source under a capture: decompression by content, and a window that moves forward.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Opens `path`, undoing gzip and zstd by their magic bytes.
pub fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    undone(File::open(path)?)
}

/// What `file` holds, gzip and zstd undone by their magic bytes.
pub fn undone(mut file: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = [0; 4];
    let mut filled = 0;
    while filled < magic.len() {
        match file.read(&mut magic[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    let source = io::Cursor::new(magic[..filled].to_vec()).chain(file);
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(BufReader::with_capacity(WINDOW, source))),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let mut decoder = zstd::stream::read::Decoder::new(source)?;
            decoder.window_log_max(MAX_WINDOW_LOG)?;
            Box::new(decoder)
        }
        _ => Box::new(source),
    })
}

/// Bytes read at a time.
const WINDOW: usize = 1 << 20;
/// Largest zstd window taken (128 MiB, what `--long=27` writes); a larger one is refused, not allocated.
const MAX_WINDOW_LOG: u32 = 27;

/// A forward window over a source.
pub(super) struct Buffer {
    source: Box<dyn Read + Send>,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset of `start` in the source.
    position: u64,
    ended: bool,
}

impl Buffer {
    pub fn new(source: Box<dyn Read + Send>) -> Buffer {
        Buffer { source, bytes: vec![0; WINDOW], start: 0, end: 0, position: 0, ended: false }
    }

    /// Offset of the next byte.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next `wanted` bytes, fewer only at the end of the source. They stay until `consume`.
    #[inline]
    pub fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        if self.end - self.start < wanted && !self.ended {
            self.fill(wanted)?;
        }
        let available = (self.end - self.start).min(wanted);
        Ok(&self.bytes[self.start..self.start + available])
    }

    /// Passes over `count` bytes that `peek` gave, and returns them.
    #[inline]
    pub fn consume(&mut self, count: usize) -> &[u8] {
        let from = self.start;
        let count = count.min(self.end - from);
        self.start += count;
        self.position += count as u64;
        &self.bytes[from..from + count]
    }

    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted.next_multiple_of(WINDOW), 0);
        }
        while self.end < wanted {
            match self.source.read(&mut self.bytes[self.end..]) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(());
                }
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A damaged gzip or zstd stream: what came before it counts, its end is named.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.ended = true,
                Err(error) => return Err(error),
            }
            if self.ended {
                break;
            }
        }
        Ok(())
    }
}
