//! ARP: which address is looked for, and who has it.

use std::net::Ipv4Addr;

use super::reader::{Reader, mac};
use super::{Flow, Protocol, Signature, each};
use crate::field::{Field, Kind};

use Kind::{Integer, Ip, LowerTerm};

crate::declare_fields! {
    IPS = Field::set("arp.ip", "arp.ip", Ip, "Addresses looked for");
    MAC = Field::set("arp.mac", "arp.mac", LowerTerm, "MAC addresses of who has them");
    OPCODE = Field::set("arp.opcode", "arp.opcode", Integer, "Kinds of messages");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "arp",
    fields: FIELDS,
    signatures: &[Signature::EtherType(0x0806, |flow, _, _| each::begin(flow, "arp", read))],
};

const REQUEST: u16 = 1;

fn read(flow: &mut Flow<'_>, data: &[u8]) {
    if message(flow, data).is_none() {
        flow.anomaly("arp-message-malformed");
    }
}

fn message(flow: &mut Flow<'_>, data: &[u8]) -> Option<()> {
    let mut reader = Reader::new(data);
    // Ethernet and IPv4, and how long their addresses are.
    if reader.take(6)? != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    let opcode = reader.u16()?;
    let (sender, sender_ip) = (reader.take(6)?, reader.u32()?);
    reader.skip(6)?;
    let target_ip = reader.u32()?;
    flow.fields.int(&OPCODE, i64::from(opcode));
    if opcode == REQUEST {
        flow.fields.ip(&IPS, Ipv4Addr::from(target_ip).into());
    } else {
        flow.fields.ip(&IPS, Ipv4Addr::from(sender_ip).into());
        flow.fields.text(&MAC, &mac(sender));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::Harness;
    use crate::protocol::{Direction, Transport};
    use crate::values::Values;

    #[test]
    fn question_and_answer_are_about_one_address() {
        let head = [0, 1, 8, 0, 6, 4];
        let (asker, owner, nobody) = ([0xaa; 6], [0xbb; 6], [0; 6]);
        let (asking, asked) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let mut harness = Harness::new(Transport::Ethernet(0x0806), 0);
        let question = [&head[..], &[0, 1], &asker, &asking, &nobody, &asked].concat();
        harness.data(Direction::Client, &question);
        harness.data(Direction::Client, &[&head[..], &[0, 2], &owner, &asked, &asker, &asking].concat());
        assert_eq!(harness.protocols, ["arp"]);
        assert_eq!(harness.ints(&OPCODE), [1, 2]);
        assert_eq!(harness.texts(&MAC), ["bb:bb:bb:bb:bb:bb"]);
        assert!(matches!(harness.fields.get(&IPS), Some(Values::Ips(ips)) if ips.len() == 1));
        harness.data(Direction::Client, &question[..20]);
        assert_eq!(harness.texts(&crate::protocol::ANOMALY), ["arp-message-malformed"]);
    }
}
