//! DNS, over UDP and TCP, and its kin on the link: multicast DNS and LLMNR.
//!
//! A question and its answers are one object, found again by the message's id and the question itself, so that the
//! messages of a session may come in any order and be repeated.

mod message;
mod name;
mod numbers;
mod punycode;
mod rdata;
mod stream;
mod transaction;

use super::{Direction, Flow, Parser, Protocol, Signature, Status};
use crate::field::{Count, Field, Kind};
use stream::Stream;
use transaction::{Outcome, Transactions};

use Kind::{Integer, Ip, LowerTerm, Term, UpperTerm};

crate::declare_fields! {
    DNS = Field::objects("dns", "dns", "DNS questions with their answers");
    ANSWERS = Field::objects("dns.answer", "dns.answers", "Records of a response").counted(Count::No);
    ANSWER_COUNT = Field::one("dns.answer.cnt", "dns.answersCnt", Integer, "Number of records of a response");
    ANSWER_CAA = Field::one("dns.answer.caa", "dns.answers.caa", Term, "CAA record");
    ANSWER_CLASS = Field::one("dns.answer.class", "dns.answers.class", UpperTerm, "Class of a record");
    ANSWER_CNAME = Field::one("dns.answer.cname", "dns.answers.cname", Term, "Canonical name");
    ANSWER_DS = Field::one("dns.answer.ds", "dns.answers.ds", Term, "DS record");
    ANSWER_HTTPS = Field::one("dns.answer.https", "dns.answers.https", Term, "HTTPS or SVCB record");
    ANSWER_IP = Field::one("dns.answer.ip", "dns.answers.ip", Ip, "Address of an A or AAAA record");
    ANSWER_MX = Field::one("dns.answer.mx", "dns.answers.mx", Term, "Mail server of an MX record");
    ANSWER_NAME = Field::one("dns.answer.name", "dns.answers.name", Term, "Name a record is about");
    ANSWER_NS = Field::one("dns.answer.ns", "dns.answers.nameserver", Term, "Name server of an NS record");
    ANSWER_NSEC = Field::one("dns.answer.nsec", "dns.answers.nsec", Term, "NSEC record");
    ANSWER_PRIORITY = Field::one("dns.answer.priority", "dns.answers.priority", Integer, "Priority of an MX record");
    ANSWER_RRSIG = Field::one("dns.answer.rrsig", "dns.answers.rrsig", Term, "RRSIG record, without the signature");
    ANSWER_TTL = Field::one("dns.answer.ttl", "dns.answers.ttl", Integer, "Time to live of a record, in seconds");
    ANSWER_TXT =
        Field::list("dns.answer.txt", "dns.answers.txt", Term, "Strings of a TXT record").counted(Count::No);
    ANSWER_TYPE = Field::one("dns.answer.type", "dns.answers.type", UpperTerm, "Type of a record");
    HEADER_FLAGS = Field::set("dns.header_flags", "dns.headerFlags", UpperTerm, "Flags of a response's header")
        .counted(Count::No);
    HOST = Field::set("host.dns", "dns.host", LowerTerm, "Names asked for, and their canonical names");
    IPS = Field::set("ip.dns", "dns.ip", Ip, "Addresses of the names asked for");
    MAIL_HOST = Field::set("host.dns.mailserver", "dns.mailserverHost", LowerTerm, "Mail servers");
    MAIL_IP = Field::set("ip.dns.mailserver", "dns.mailserverIp", Ip, "Addresses of mail servers");
    NS_HOST = Field::set("host.dns.nameserver", "dns.nameserverHost", LowerTerm, "Name servers");
    NS_IP = Field::set("ip.dns.nameserver", "dns.nameserverIp", Ip, "Addresses of name servers");
    OPCODE = Field::one("dns.opcode", "dns.opcode", UpperTerm, "Kind of query");
    PUNY = Field::set("dns.puny", "dns.puny", LowerTerm, "Names asked for that are in punycode, not decoded");
    QUERY_CLASS = Field::one("dns.query.class", "dns.qc", UpperTerm, "Class asked for");
    QUERY_TYPE = Field::one("dns.query.type", "dns.qt", UpperTerm, "Record type asked for");
    QUERY_HOST = Field::one("dns.query.host", "dns.queryHost", LowerTerm, "Name asked for");
    STATUS = Field::one("dns.status", "dns.status", UpperTerm, "Response code");
    HOST_ALL = Field::any(
        "host.dns.all", LowerTerm, &["host.dns", "host.dns.mailserver", "host.dns.nameserver"], "Any name in DNS");
    IP_ALL = Field::any("ip.dns.all", Ip, &["ip.dns", "ip.dns.mailserver", "ip.dns.nameserver"], "Any address in DNS");
}

/// The protocol.
pub static PROTOCOL: Protocol = Protocol {
    name: "dns",
    fields: FIELDS,
    signatures: &[
        Signature::UdpPort(53, |flow, _, _| begin_datagrams(flow, "dns")),
        Signature::UdpPort(5353, |flow, _, _| begin_datagrams(flow, "mdns")),
        Signature::UdpPort(5355, |flow, _, _| begin_datagrams(flow, "llmnr")),
        Signature::TcpPort(53, begin_stream),
    ],
};

/// Messages that are a datagram each.
struct Datagrams {
    name: &'static str,
    transactions: Transactions,
}

fn begin_datagrams(flow: &mut Flow<'_>, name: &'static str) {
    let found = ["dns", "mdns", "llmnr"].iter().any(|other| flow.has_protocol(other));
    // A unicast question from the multicast port belongs to the server it goes to.
    if !found && (name == "dns" || !flow.ends.port(53)) {
        flow.attach(Box::new(Datagrams { name, transactions: Transactions::new(name == "mdns") }));
    }
}

impl Parser for Datagrams {
    fn data(&mut self, flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) -> Status {
        match self.transactions.message(flow, data) {
            Outcome::Read => flow.protocol(self.name),
            Outcome::Foreign if flow.has_protocol(self.name) => flow.anomaly("dns-message-malformed"),
            Outcome::Foreign => return Status::Done,
        }
        Status::More
    }

    fn finish(&mut self, _flow: &mut Flow<'_>) {
        self.transactions.forget();
    }
}

fn begin_stream(flow: &mut Flow<'_>, _direction: Direction, data: &[u8]) {
    if !flow.has_protocol("dns") && Stream::fits(data) {
        flow.protocol("dns");
        flow.attach(Box::new(Stream::new()));
    }
}

#[cfg(test)]
mod tests;
