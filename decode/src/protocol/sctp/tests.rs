//! Signalling in whole messages and in fragments.

use super::*;
use crate::protocol::Transport;
use crate::protocol::testing::Harness;

/// M3UA with an SCCP unitdata of a CAMEL initialDP from 674523010.
const INITIAL_DP: &[u8] = b"\x01\x00\x01\x01\x00\x00\x00\x78\x02\x10\x00\x6e\x00\x00\x02\x58\x00\x00\x01\xf4\x03\x00\x00\x00\
    \x09\x00\x03\x07\x0b\x04\x43\xf4\x01\x0a\x04\x43\x58\x02\x0a\x4e\
    \x62\x50\x48\x04\xab\xcd\xef\x12\x6b\x26\x28\x24\x06\x07\x00\x11\x86\x05\x01\x01\x01\xa0\x19\x60\x17\x80\x02\x07\x80\
    \xa1\x09\x06\x07\x04\x00\x00\x01\x00\x32\x01\xbe\x06\x28\x04\x06\x02\x51\x01\
    \x6c\x1c\xa1\x1a\x02\x01\x11\x02\x01\x00\x30\x12\x80\x07\x91\x21\x43\x65\x87\x09\xf1\
    \x83\x07\x91\x98\x76\x54\x32\x10\xf0\x00\x00";

fn chunk(number: u32, flags: u8, carried: u32, data: &[u8]) -> Vec<u8> {
    let length = ((DATA_HEAD + data.len()) as u16).to_be_bytes();
    let mut chunk =
        [&[DATA, flags], &length[..], &number.to_be_bytes(), &[0; 4], &carried.to_be_bytes(), data].concat();
    chunk.resize(chunk.len().next_multiple_of(4), 0);
    chunk
}

fn check(harness: &Harness) {
    assert_eq!(harness.protocols, ["m3ua", "sccp", "camel"]);
    assert_eq!(harness.ints(&PROTOCOL_ID), [3]);
    assert_eq!(harness.ints(&M3UA_SI), [3]);
    assert_eq!((harness.ints(&SCCP_DST), harness.ints(&SCCP_SRC)), (vec![500], vec![600]));
    assert_eq!(harness.ints(&TCAP_OPCODE), [0]);
    assert_eq!(harness.texts(&CAMEL_OPERATION), ["initialDP"]);
    assert_eq!(harness.texts(&CAMEL_CALLING), ["674523010"]);
}

#[test]
fn a_call_begins_in_one_chunk() {
    let mut harness = Harness::new(Transport::Sctp, 2905);
    harness.data(Direction::Client, b"\x01\x00\x00\x14................");
    harness.data(Direction::Client, &[chunk(1, 3, 3, b""), chunk(2, 3, 3, INITIAL_DP)].concat());
    check(&harness);
}

#[test]
fn fragments_join_in_any_order() {
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let parts = [
            chunk(u32::MAX, FIRST, 3, &INITIAL_DP[..40]),
            chunk(0, 0, 3, &INITIAL_DP[40..60]),
            chunk(1, LAST, 3, &INITIAL_DP[60..]),
        ];
        let mut harness = Harness::new(Transport::Sctp, 2905);
        order.iter().for_each(|at| harness.data(Direction::Client, &parts[*at]));
        check(&harness);
    }
}

#[test]
fn fragments_that_never_end_are_bounded() {
    let mut parser = Sctp { direction: Direction::Client, fragments: Vec::new() };
    let mut harness = Harness::new(Transport::Sctp, 2905);
    for number in 0..1000 {
        harness.with(|flow| {
            parser.data(flow, Direction::Client, &chunk(number, 0, 3, b"part"));
        });
    }
    assert_eq!(parser.fragments.len(), MAX_FRAGMENTS);
}

#[test]
fn a_message_cut_or_spoilt_anywhere_does_no_harm() {
    let whole = chunk(1, 3, 3, INITIAL_DP);
    for at in 0..whole.len() {
        let mut harness = Harness::new(Transport::Sctp, 2905);
        harness.data(Direction::Client, &whole[..at]);
        for byte in [0, 1, 0x80, 0xff] {
            let mut spoilt = whole.clone();
            spoilt[at] = byte;
            harness.data(Direction::Client, &spoilt);
        }
    }
}
