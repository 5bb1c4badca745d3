//! ICMP, for IPv4 and IPv6: types and codes.

use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Count, Field, Kind};

crate::declare_fields! {
    CODE = Field::set("icmp.code", "icmp.code", Kind::Integer, "ICMP codes").counted(Count::No);
    TYPE = Field::set("icmp.type", "icmp.type", Kind::Integer, "ICMP types").counted(Count::No);
}

pub static PROTOCOL: Protocol = Protocol {
    name: "icmp",
    fields: FIELDS,
    signatures: &[Signature::IpProtocol(1, begin), Signature::IpProtocol(58, begin)],
};

struct Icmp;

fn begin(flow: &mut Flow<'_>, _direction: Direction, _data: &[u8]) {
    if !flow.fields.has(&TYPE) {
        flow.protocol("icmp");
        flow.attach(Box::new(Icmp));
    }
}

impl Parser for Icmp {
    fn data(&mut self, flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) -> Status {
        match data {
            [kind, code, ..] => {
                flow.fields.int(&TYPE, i64::from(*kind));
                flow.fields.int(&CODE, i64::from(*code));
            }
            _ => flow.anomaly("icmp-too-short"),
        }
        Status::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Transport;
    use crate::protocol::testing::Harness;

    #[test]
    fn a_ping_has_both_types_and_one_code() {
        let mut harness = Harness::new(Transport::Ip(1), 0);
        harness.data(Direction::Client, &[8, 0, 0, 0]);
        harness.data(Direction::Server, &[0, 0, 0, 0]);
        harness.data(Direction::Server, &[0]);
        assert_eq!(harness.protocols, ["icmp"]);
        assert_eq!(harness.ints(&TYPE), [8, 0]);
        assert_eq!(harness.ints(&CODE), [0]);
    }
}
