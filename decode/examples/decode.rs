//! Prints a capture's session documents, one a line; for scoring and profiling without Python.

use std::io::Write;

use hayrick_decode::pipeline::Decoder;
use hayrick_decode::session::record::Origin;
use hayrick_decode::{capture, output};

fn main() -> std::io::Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: decode FILE [--count]");
        std::process::exit(2);
    };
    let quiet = std::env::args().nth(2).is_some();
    let mut decoder = Decoder::new(capture::open(path.as_ref())?, Origin::default())?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut text = String::new();
    loop {
        let batch = decoder.next_batch(4096);
        if batch.is_empty() {
            break;
        }
        text.clear();
        batch.iter().for_each(|record| output::json::line(record, true, &mut text));
        if !quiet {
            out.write_all(text.as_bytes())?;
        }
    }
    eprintln!("{:?}", decoder.pipeline.summary);
    out.flush()
}
