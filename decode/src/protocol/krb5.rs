//! Kerberos 5: who asks for tickets to what, with which encryption, and what is refused.

use super::ber::{Element, Elements};
use super::frames::{Frames, Length};
use super::{Direction, Flow, Parser, Protocol, Signature, Status, Transport};
use crate::field::{Field, Kind};

use Kind::Term;

crate::declare_fields! {
    CLIENT = Field::set("krb5.cname", "krb5.cname", Term, "Clients");
    ERROR = Field::set("krb5.error", "krb5.error", Term, "Errors");
    ENCRYPTION = Field::set("krb5.etype", "krb5.etype", Term, "Encryption types");
    REALM = Field::set("krb5.realm", "krb5.realm", Term, "Realms");
    SERVER = Field::set("krb5.sname", "krb5.sname", Term, "Servers");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "krb5",
    fields: FIELDS,
    signatures: &[Signature::TcpPort(88, begin_tcp), Signature::UdpPort(88, begin_udp)],
};

const AS_REQUEST: u32 = 0x6a;
const AS_REPLY: u32 = 0x6b;
const TGS_REQUEST: u32 = 0x6c;
const TGS_REPLY: u32 = 0x6d;
const ERROR_MESSAGE: u32 = 0x7e;

static ENCRYPTIONS: &[(i64, &str)] = &[
    (1, "des-cbc-crc"),
    (2, "des-cbc-md4"),
    (3, "des-cbc-md5"),
    (5, "des3-cbc-md5"),
    (7, "des3-cbc-sha1"),
    (16, "des3-cbc-sha1-kd"),
    (17, "aes128-cts-hmac-sha1-96"),
    (18, "aes256-cts-hmac-sha1-96"),
    (19, "aes128-cts-hmac-sha256-128"),
    (20, "aes256-cts-hmac-sha384-192"),
    (23, "rc4-hmac"),
    (24, "rc4-hmac-exp"),
    (25, "camellia128-cts-cmac"),
    (26, "camellia256-cts-cmac"),
];

static ERRORS: &[(i64, &str)] = &[
    (1, "KDC_ERR_NAME_EXP"),
    (2, "KDC_ERR_SERVICE_EXP"),
    (3, "KDC_ERR_BAD_PVNO"),
    (4, "KDC_ERR_C_OLD_MAST_KVNO"),
    (5, "KDC_ERR_S_OLD_MAST_KVNO"),
    (6, "KDC_ERR_C_PRINCIPAL_UNKNOWN"),
    (7, "KDC_ERR_S_PRINCIPAL_UNKNOWN"),
    (8, "KDC_ERR_PRINCIPAL_NOT_UNIQUE"),
    (9, "KDC_ERR_NULL_KEY"),
    (10, "KDC_ERR_CANNOT_POSTDATE"),
    (11, "KDC_ERR_NEVER_VALID"),
    (12, "KDC_ERR_POLICY"),
    (13, "KDC_ERR_BADOPTION"),
    (14, "KDC_ERR_ETYPE_NOSUPP"),
    (15, "KDC_ERR_SUMTYPE_NOSUPP"),
    (16, "KDC_ERR_PADATA_TYPE_NOSUPP"),
    (17, "KDC_ERR_TRTYPE_NOSUPP"),
    (18, "KDC_ERR_CLIENT_REVOKED"),
    (19, "KDC_ERR_SERVICE_REVOKED"),
    (20, "KDC_ERR_TGT_REVOKED"),
    (21, "KDC_ERR_CLIENT_NOTYET"),
    (22, "KDC_ERR_SERVICE_NOTYET"),
    (23, "KDC_ERR_KEY_EXPIRED"),
    (24, "KDC_ERR_PREAUTH_FAILED"),
    (25, "KDC_ERR_PREAUTH_REQUIRED"),
    (26, "KDC_ERR_SERVER_NOMATCH"),
    (27, "KDC_ERR_MUST_USE_USER2USER"),
    (28, "KDC_ERR_PATH_NOT_ACCEPTED"),
    (29, "KDC_ERR_SVC_UNAVAILABLE"),
    (31, "KRB_AP_ERR_BAD_INTEGRITY"),
    (32, "KRB_AP_ERR_TKT_EXPIRED"),
    (33, "KRB_AP_ERR_TKT_NYV"),
    (34, "KRB_AP_ERR_REPEAT"),
    (35, "KRB_AP_ERR_NOT_US"),
    (36, "KRB_AP_ERR_BADMATCH"),
    (37, "KRB_AP_ERR_SKEW"),
    (38, "KRB_AP_ERR_BADADDR"),
    (39, "KRB_AP_ERR_BADVERSION"),
    (40, "KRB_AP_ERR_MSG_TYPE"),
    (41, "KRB_AP_ERR_MODIFIED"),
    (42, "KRB_AP_ERR_BADORDER"),
    (44, "KRB_AP_ERR_BADKEYVER"),
    (45, "KRB_AP_ERR_NOKEY"),
    (46, "KRB_AP_ERR_MUT_FAIL"),
    (47, "KRB_AP_ERR_BADDIRECTION"),
    (48, "KRB_AP_ERR_METHOD"),
    (49, "KRB_AP_ERR_BADSEQ"),
    (50, "KRB_AP_ERR_INAPP_CKSUM"),
    (51, "KRB_AP_PATH_NOT_ACCEPTED"),
    (52, "KRB_ERR_RESPONSE_TOO_BIG"),
    (60, "KRB_ERR_GENERIC"),
    (61, "KRB_ERR_FIELD_TOOLONG"),
    (62, "KDC_ERR_CLIENT_NOT_TRUSTED"),
    (68, "KDC_ERR_WRONG_REALM"),
];

fn begin_tcp(flow: &mut Flow<'_>, direction: Direction, data: &[u8]) {
    if matches!(length(data), Length::Known(_)) {
        begin_udp(flow, direction, data.get(4..).unwrap_or_default());
    }
}

fn begin_udp(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if message(data).is_some_and(|(kind, sequence)| versioned(kind, sequence)) && !flow.has_protocol("krb5") {
        flow.protocol("krb5");
        flow.attach(Box::new(Kerberos::default()));
    }
}

fn length(data: &[u8]) -> Length {
    match data.first_chunk() {
        Some(&[0, 0, a, b]) => Length::sum(4, u16::from_be_bytes([a, b])),
        Some(_) => Length::Bad,
        None => Length::More,
    }
}

/// Whether a message tells its version and kind, as each does at its begin; a request must have a body too.
fn versioned(kind: u32, sequence: Element<'_>) -> bool {
    let first = u32::from(matches!(kind, AS_REQUEST | TGS_REQUEST));
    let number = |at| member(sequence, at).and_then(|e| e.integer());
    let body = first == 0 || member(sequence, 4).is_some();
    body && number(first) == Some(5) && number(first + 1) == Some(i64::from(kind & 0x1f))
}

/// The message's kind, and the sequence in it.
fn message(data: &[u8]) -> Option<(u32, Element<'_>)> {
    let outer = Elements::new(data).next()?;
    let sequence = outer.elements().next().filter(|s| s.tag == 0x30)?;
    Some((outer.tag, sequence))
}

/// What member `number` of a sequence holds.
fn member(sequence: Element<'_>, number: u32) -> Option<Element<'_>> {
    sequence.elements().find(|e| e.tag == 0xa0 + number)?.elements().next()
}

fn read(flow: &mut Flow<'_>, data: &[u8]) -> Option<()> {
    let (kind, sequence) = message(data)?;
    match kind {
        AS_REQUEST | TGS_REQUEST => {
            let body = member(sequence, 4)?;
            names(flow, body, 1, 2, 3);
            for encryption in member(body, 8).into_iter().flat_map(|list| list.elements()) {
                write_encryption(flow, encryption);
            }
        }
        AS_REPLY | TGS_REPLY => {
            names(flow, sequence, 4, 3, 99);
            let ticket = member(sequence, 5)?.elements().next()?;
            names(flow, ticket, 99, 1, 2);
            for part in [member(ticket, 3), member(sequence, 6)].into_iter().flatten() {
                member(part, 0).into_iter().for_each(|encryption| write_encryption(flow, encryption));
            }
        }
        ERROR_MESSAGE => {
            names(flow, sequence, 8, 9, 10);
            let code = member(sequence, 6)?.integer()?;
            let name = ERRORS.iter().find(|(number, _)| *number == code).map(|(_, name)| *name);
            match name {
                Some(name) => flow.fields.text(&ERROR, name),
                None => flow.fields.text(&ERROR, &format!("error-{code}")),
            }
        }
        _ => {}
    }
    Some(())
}

fn write_encryption(flow: &mut Flow<'_>, encryption: Element<'_>) {
    let Some(number) = encryption.integer() else { return };
    if let Some((_, name)) = ENCRYPTIONS.iter().find(|(known, _)| *known == number) {
        flow.fields.text(&ENCRYPTION, name);
    }
}

/// Writes the client's name, the realm and the server's name, by their members' numbers.
fn names(flow: &mut Flow<'_>, sequence: Element<'_>, client: u32, realm: u32, server: u32) {
    for (field, number) in [(&CLIENT, client), (&SERVER, server)] {
        if let Some(parts) = member(sequence, number).and_then(|name| member(name, 1)) {
            let parts: Vec<_> = parts.elements().map(|part| part.value).collect();
            flow.fields.bytes(field, &parts.join(&b'/'));
        }
    }
    if let Some(realm) = member(sequence, realm) {
        flow.fields.bytes(&REALM, realm.value);
    }
}

#[derive(Default)]
struct Kerberos {
    frames: Frames,
}

impl Parser for Kerberos {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        if flow.ends.transport == Transport::Udp {
            read(flow, data);
            return Status::More;
        }
        let good = self.frames.feed(direction, data, length, |data| {
            read(flow, &data[4..]);
        });
        if good { Status::More } else { Status::Done }
    }

    fn finish(&mut self, flow: &mut Flow<'_>) {
        self.frames.finish(|data| {
            read(flow, data.get(4..).unwrap_or_default());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Direction::Client;
    use crate::protocol::testing::Harness;

    const REQUEST: &[u8] = b"\x6a\x42\x30\x40\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa4\x34\x30\x32\
        \xa1\x0e\x30\x0c\xa0\x03\x02\x01\x01\xa1\x05\x30\x03\x1b\x01u\xa2\x03\x1b\x01R\
        \xa3\x11\x30\x0f\xa0\x03\x02\x01\x02\xa1\x08\x30\x06\x1b\x01k\x1b\x01R\xa8\x08\x30\x06\x02\x01\x12\x02\x01\x17";

    #[test]
    fn a_request_is_read_over_either_transport() {
        for transport in [Transport::Tcp, Transport::Udp] {
            let mut harness = Harness::new(transport, 88);
            match transport {
                Transport::Udp => harness.data(Client, REQUEST),
                _ => harness.data(Client, &[&[0, 0, 0, REQUEST.len() as u8][..], REQUEST].concat()),
            }
            assert_eq!(harness.texts(&CLIENT), ["u"]);
            assert_eq!(harness.texts(&REALM), ["R"]);
            assert_eq!(harness.texts(&SERVER), ["k/R"]);
            assert_eq!(harness.texts(&ENCRYPTION), ["aes256-cts-hmac-sha1-96", "rc4-hmac"]);
        }
    }

    #[test]
    fn a_request_cut_anywhere_does_no_harm() {
        for end in 0..REQUEST.len() {
            let mut harness = Harness::new(Transport::Udp, 88);
            harness.data(Client, &REQUEST[..end]);
        }
    }
}
