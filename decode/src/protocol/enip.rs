//! EtherNet/IP and the Common Industrial Protocol in it: commands, devices that name themselves, services asked for.

use super::frames::{Frames, Length};
use super::reader::Reader;
use super::{Direction, Flow, Parser, Protocol, Signature, Status, Transport};
use crate::field::{Field, Kind};

use Kind::{Integer, Term};

crate::declare_fields! {
    CLASS = Field::set("enip.class", "enip.class", Term, "Classes of objects");
    COMMAND = Field::set("enip.command", "enip.command", Term, "Commands");
    DEVICE = Field::set("enip.device-type", "enip.deviceType", Term, "Types of devices");
    PRODUCT = Field::set("enip.product", "enip.product", Term, "Names of products");
    SERVICE = Field::set("enip.service", "enip.service", Term, "Services");
    STATUS = Field::set("enip.status", "enip.status", Integer, "Status of commands");
    VENDOR = Field::set("enip.vendor", "enip.vendor", Term, "Vendors");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "enip",
    fields: FIELDS,
    signatures: &[Signature::TcpPort(PORT, begin), Signature::UdpPort(PORT, begin)],
};

const PORT: u16 = 44818;
const HEADER: usize = 24;
/// Items of one message.
const MAX_ITEMS: u16 = 16;
const IDENTITY: u16 = 0x000c;
const CONNECTED: u16 = 0x00b1;
const UNCONNECTED: u16 = 0x00b2;
const CONNECTION_MANAGER: u16 = 6;

fn command(code: u16) -> Option<&'static str> {
    Some(match code {
        0x0000 => "NOP",
        0x0004 => "ListServices",
        0x0063 => "ListIdentity",
        0x0064 => "ListInterfaces",
        0x0065 => "RegisterSession",
        0x0066 => "UnRegisterSession",
        0x006f => "SendRRData",
        0x0070 => "SendUnitData",
        0x0072 => "IndicateStatus",
        0x0073 => "Cancel",
        _ => return None,
    })
}

static VENDORS: &[(u16, &str)] = &[
    (1, "Rockwell Automation/Allen-Bradley"),
    (5, "Schneider Electric"),
    (23, "OMRON"),
    (40, "WAGO"),
    (47, "OMRON"),
    (49, "Siemens"),
    (243, "Schneider Electric"),
];

static CLASSES: &[(u16, &str)] = &[
    (0x01, "Identity"),
    (0x02, "Message Router"),
    (0x03, "DeviceNet"),
    (0x04, "Assembly"),
    (0x05, "Connection"),
    (0x06, "Connection Manager"),
    (0x07, "Register"),
    (0x08, "Discrete Input Point"),
    (0x09, "Discrete Output Point"),
    (0x0a, "Analog Input Point"),
    (0x0b, "Analog Output Point"),
    (0x0f, "Parameter"),
    (0x10, "Parameter Group"),
    (0x37, "File"),
    (0xf4, "Port"),
    (0xf5, "TCP/IP Interface"),
    (0xf6, "EtherNet Link"),
];

fn service(code: u8, class: Option<u16>) -> Option<&'static str> {
    Some(match code {
        0x01 => "Get_Attributes_All",
        0x02 => "Set_Attributes_All",
        0x03 => "Get_Attribute_List",
        0x04 => "Set_Attribute_List",
        0x05 => "Reset",
        0x06 => "Start",
        0x07 => "Stop",
        0x08 => "Create",
        0x09 => "Delete",
        0x0a => "Multiple_Service_Packet",
        0x0d => "Apply_Attributes",
        0x0e => "Get_Attribute_Single",
        0x10 => "Set_Attribute_Single",
        0x11 => "Find_Next_Object_Instance",
        0x15 => "Restore",
        0x16 => "Save",
        0x17 => "No_Operation",
        0x18 => "Get_Member",
        0x19 => "Set_Member",
        0x4b => "Execute_PCCC",
        0x4c => "Read_Tag",
        0x4d => "Write_Tag",
        0x4e if class.is_none_or(|c| c == CONNECTION_MANAGER) => "Forward_Close",
        0x4e => "Read_Modify_Write_Tag",
        0x52 if class == Some(CONNECTION_MANAGER) => "Unconnected_Send",
        0x52 => "Read_Tag_Fragmented",
        0x53 => "Write_Tag_Fragmented",
        0x54 => "Forward_Open",
        0x55 => "Get_Instance_Attribute_List",
        0x5b => "Large_Forward_Open",
        _ => return None,
    })
}

fn begin(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if matches!(length(data), Length::Known(total) if total <= data.len()) && !flow.has_protocol("enip") {
        flow.protocol("enip");
        flow.attach(Box::new(Enip::default()));
    }
}

fn u16_le(reader: &mut Reader<'_>) -> Option<u16> {
    reader.array().map(u16::from_le_bytes)
}

fn length(data: &[u8]) -> Length {
    match data.first_chunk::<4>() {
        None => Length::More,
        Some(&[a, b, c, d]) if command(u16::from_le_bytes([a, b])).is_some() => {
            Length::sum(HEADER, u16::from_le_bytes([c, d]))
        }
        Some(_) => Length::Bad,
    }
}

fn message(flow: &mut Flow<'_>, data: &[u8]) -> Option<()> {
    let mut reader = Reader::new(data);
    let code = u16_le(&mut reader)?;
    flow.fields.text(&COMMAND, command(code)?);
    reader.skip(6)?;
    flow.fields.int(&STATUS, u32::from_le_bytes(reader.array()?).into());
    reader.skip(12)?;
    match code {
        0x0063 => items(flow, &mut reader),
        0x006f | 0x0070 => {
            reader.skip(6)?;
            items(flow, &mut reader)
        }
        _ => Some(()),
    }
}

fn items(flow: &mut Flow<'_>, reader: &mut Reader<'_>) -> Option<()> {
    for _ in 0..u16_le(reader)?.min(MAX_ITEMS) {
        let (kind, length) = (u16_le(reader)?, u16_le(reader)?);
        // What is cut off still tells its beginning.
        let content = reader.take(usize::from(length).min(reader.left()))?;
        match kind {
            IDENTITY => identity(flow, content),
            CONNECTED => cip(flow, content.get(2..)?),
            UNCONNECTED => cip(flow, content),
            _ => None,
        };
    }
    Some(())
}

fn identity(flow: &mut Flow<'_>, content: &[u8]) -> Option<()> {
    let mut reader = Reader::at(content, 18);
    let (vendor, device) = (u16_le(&mut reader)?, u16_le(&mut reader)?);
    match VENDORS.iter().find(|(number, _)| *number == vendor) {
        Some((_, name)) => flow.fields.text(&VENDOR, name),
        None => flow.fields.text(&VENDOR, &format!("Vendor-{vendor}")),
    }
    flow.fields.text(&DEVICE, &format!("DeviceType-{device:#06x}"));
    // Product code, revision, status, serial number.
    reader.skip(2 + 2 + 2 + 4)?;
    let length = reader.u8()?;
    flow.fields.bytes(&PRODUCT, reader.take(length.into())?);
    Some(())
}

fn cip(flow: &mut Flow<'_>, content: &[u8]) -> Option<()> {
    let &[code, words, ref rest @ ..] = content else { return None };
    flow.protocol("cip");
    let class = if code & 0x80 == 0 { class(rest.get(..2 * usize::from(words))?) } else { None };
    if let Some(class) = class {
        match CLASSES.iter().find(|(number, _)| *number == class) {
            Some((_, name)) => flow.fields.text(&CLASS, name),
            None => flow.fields.text(&CLASS, &format!("Class-{class:#04x}")),
        }
    }
    flow.fields.text(&SERVICE, service(code & 0x7f, class)?);
    Some(())
}

/// The class that a path leads to; segments that name ports on the way come first.
fn class(path: &[u8]) -> Option<u16> {
    match *path {
        [0x20, class, ..] => Some(class.into()),
        [0x21, _, a, b, ..] => Some(u16::from_le_bytes([a, b])),
        [port @ 0x00..=0x1f, link, ..] => {
            let address = if port & 0x10 != 0 { usize::from(link) } else { 0 };
            let number = if port & 0x0f == 0x0f { 2 } else { 0 };
            class(path.get((2 + number + address).next_multiple_of(2)..)?)
        }
        _ => None,
    }
}

#[derive(Default)]
struct Enip {
    frames: Frames,
}

impl Parser for Enip {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let udp = flow.ends.transport == Transport::Udp;
        if udp {
            self.frames = Frames::default();
        }
        let good = self.frames.feed(direction, data, length, |data| {
            message(flow, data);
        });
        if good || udp { Status::More } else { Status::Done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Direction::Client;
    use crate::protocol::testing::Harness;

    #[test]
    fn a_service_is_told_with_its_class_however_it_is_cut() {
        let mut sent = b"\x65\0\x04\0".to_vec();
        sent.extend([0; 24]);
        let head = sent.len();
        sent.extend(b"\x6f\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        sent.extend(b"\0\0\0\0\0\0\x02\0\0\0\0\0\xb2\0\x08\0\x0e\x03\x20\x01\x24\x01\x30\x01");
        for cut in head..=sent.len() {
            let mut harness = Harness::new(Transport::Tcp, PORT);
            harness.data(Client, &sent[..cut]);
            harness.data(Client, &sent[cut..]);
            assert_eq!(harness.texts(&COMMAND), ["RegisterSession", "SendRRData"], "cut at {cut}");
            assert_eq!(harness.texts(&CLASS), ["Identity"]);
            assert_eq!(harness.texts(&SERVICE), ["Get_Attribute_Single"]);
        }
    }
}
