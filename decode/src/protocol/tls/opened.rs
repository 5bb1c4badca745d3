//! A session's streams with TLS undone, for whoever reads or searches them.

use super::plausible;
use super::record::{APPLICATION, Records};
use super::sealed::{Sealed, Told};
use crate::protocol::Direction;
use crate::secrets::Secrets;
use crate::streams::Piece;

/// One direction.
#[derive(Default)]
struct Side {
    records: Records,
    begun: bool,
    over: bool,
    /// Bytes that could not be read.
    missing: u64,
}

/// What TLS carried in these pieces, with what was said before it began; None if nothing of it could be opened.
pub fn opened(pieces: &[Piece], secrets: &Secrets) -> Option<Vec<Piece>> {
    let mut sealed = Sealed::default();
    let mut sides = [Side::default(), Side::default()];
    let mut found = Vec::new();
    let mut any = false;
    for piece in pieces {
        let side = &mut sides[piece.direction as usize];
        side.begun |= plausible(&piece.data) && piece.data.len() > 5;
        if !side.begun {
            found.push(piece.clone());
            continue;
        }
        side.over |= piece.missing > 0;
        side.missing += piece.missing;
        if side.over {
            side.missing += piece.data.len() as u64;
            continue;
        }
        let go_on = side.records.push(&piece.data, &mut |record| {
            match sealed.record(secrets, piece.direction, &record) {
                Told::Text(APPLICATION, data) => {
                    any = true;
                    found.push(Piece { data: data.into_owned(), missing: 0, ..*piece });
                }
                Told::Text(..) | Told::Nothing => {}
                Told::Closed(_) => {
                    side.missing += record.body.len() as u64;
                    return Ok(false);
                }
            }
            Ok(true)
        });
        side.over |= !matches!(go_on, Ok(true));
    }
    let (time_ns, ends) = (pieces.last()?.time_ns, [Direction::Client, Direction::Server]);
    for (side, direction) in sides.iter().zip(ends).filter(|(side, _)| side.missing > 0) {
        found.push(Piece { direction, time_ns, missing: side.missing, data: Vec::new() });
    }
    any.then_some(found)
}
