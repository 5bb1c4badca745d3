//! Decodes damaged copies of captures: each cut at every 97th byte, and copies with bytes overwritten by chance.
//!
//! `damage FOLDER [COPIES]` tells every fault and every copy that took long, and how much memory it came to.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hayrick_decode::output::json;
use hayrick_decode::pipeline::Decoder;
use hayrick_decode::session::record::Origin;

const STEP: usize = 97;
const COPIES: usize = 10_000;
/// More than any of these captures needs many times over.
const SLOW: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Told {
    copies: usize,
    sessions: usize,
    faults: usize,
    slow: usize,
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| ".".into()));
    let copies = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(COPIES);
    let mut captures = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "pcap" || end == "pcapng") {
            captures.push((path.clone(), std::fs::read(path)?));
        }
    }
    captures.sort();
    let mut told = Told::default();
    for (path, bytes) in &captures {
        for cut in (0..bytes.len()).step_by(STEP) {
            decode(path, &format!("cut at {cut}"), bytes[..cut].to_vec(), &mut told);
        }
    }
    println!("{} captures, {} cuts", captures.len(), told.copies);
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for copy in 0..copies {
        let (path, bytes) = &captures[copy % captures.len()];
        let mut bytes = bytes.clone();
        // From one byte to every hundredth or so.
        let flips = 1 + next(&mut state) as usize % (1 + bytes.len() / 100);
        for _ in 0..flips {
            let at = next(&mut state) as usize % bytes.len();
            bytes[at] = next(&mut state) as u8;
        }
        decode(path, &format!("copy {copy}"), bytes, &mut told);
    }
    println!("{} decoded to {} sessions: {} faults, {} slow", told.copies, told.sessions, told.faults, told.slow);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("peak memory is not told here"));
    std::process::exit((told.faults + told.slow > 0).into());
}

fn decode(path: &Path, what: &str, bytes: Vec<u8>, told: &mut Told) {
    told.copies += 1;
    let started = Instant::now();
    let Ok(mut decoder) = Decoder::new(Box::new(Cursor::new(bytes)), Origin::default()) else { return };
    let mut text = String::new();
    loop {
        let batch = decoder.next_batch(1000);
        if batch.is_empty() {
            break;
        }
        told.sessions += batch.len();
        text.clear();
        batch.iter().for_each(|record| json::line(record, true, &mut text));
    }
    if decoder.pipeline.summary.anomalies.contains_key("decoder-fault") {
        told.faults += 1;
        println!("{}: {what}: a parser failed", path.display());
    }
    if started.elapsed() > SLOW {
        told.slow += 1;
        println!("{}: {what}: {:?}", path.display(), started.elapsed());
    }
}

/// xorshift: the same copies in every run.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 11
}
