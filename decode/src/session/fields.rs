//! The fields every session may have, whatever its protocols, and the ones that gather others in expressions.

use crate::field::{Count, Field, Kind};
use crate::protocol::{ANOMALY, TAGS, USER};

macro_rules! fields {
    ($($name:ident = $make:expr;)*) => {
        $(pub static $name: Field = $make;)*
        /// All of them.
        pub static ALL: &[&Field] = &[$(&$name,)* &ANOMALY, &USER, &TAGS];
    };
}

use Kind::{Boolean, Date, Integer, Ip, LowerTerm, Term, UpperTerm};

fields! {
    ID = Field::one("id", "id", Term, "Identity of the session");
    ROOT_ID = Field::one("rootId", "rootId", Term, "Identity of the session's first segment");
    CHUNK = Field::one("chunk", "chunk", Term, "Chunk that holds the packets");
    NODE = Field::one("node", "node", Term, "Sensor that captured the packets");
    FILE = Field::one("file", "file", Term, "Name of the capture file");
    TIMESTAMP = Field::one("dbTimestamp", "@timestamp", Date, "When the session was indexed");
    FIRST_PACKET = Field::one("starttime", "firstPacket", Date, "Time of the first packet");
    LAST_PACKET = Field::one("stoptime", "lastPacket", Date, "Time of the last packet");
    LENGTH = Field::one("session.length", "length", Integer, "Duration in milliseconds");
    SEGMENTS = Field::one("session.segments", "segmentCnt", Integer, "Number of this segment of the session");
    IP_PROTOCOL = Field::one("ip.protocol", "ipProtocol", Integer, "IP protocol number or name");
    ETHERTYPE = Field::one("ethertype", "ethertype", Integer, "EtherType of the innermost frame");
    COMMUNITY_ID = Field::one("communityId", "network.community_id", Term, "Community ID flow hash");
    PROTOCOL = Field::set("protocols", "protocol", Term, "Protocols found").aliases(&["protocol"]);
    SOURCE_IP = Field::one("ip.src", "source.ip", Ip, "Source address");
    DESTINATION_IP = Field::one("ip.dst", "destination.ip", Ip, "Destination address");
    SOURCE_PORT = Field::one("port.src", "source.port", Integer, "Source port");
    DESTINATION_PORT = Field::one("port.dst", "destination.port", Integer, "Destination port");
    SOURCE_MAC = Field::set("mac.src", "source.mac", LowerTerm, "Source MAC addresses").counted(Count::EcsCnt);
    DESTINATION_MAC =
        Field::set("mac.dst", "destination.mac", LowerTerm, "Destination MAC addresses").counted(Count::EcsCnt);
    SOURCE_PACKETS = Field::one("packets.src", "source.packets", Integer, "Packets sent by the source");
    DESTINATION_PACKETS = Field::one("packets.dst", "destination.packets", Integer, "Packets sent by the destination");
    PACKETS = Field::one("packets", "network.packets", Integer, "Packets");
    SOURCE_BYTES = Field::one("bytes.src", "source.bytes", Integer, "Bytes on the wire sent by the source");
    DESTINATION_BYTES =
        Field::one("bytes.dst", "destination.bytes", Integer, "Bytes on the wire sent by the destination");
    BYTES = Field::one("bytes", "network.bytes", Integer, "Bytes on the wire");
    CLIENT_BYTES = Field::one("databytes.src", "client.bytes", Integer, "Payload bytes sent by the source");
    SERVER_BYTES = Field::one("databytes.dst", "server.bytes", Integer, "Payload bytes sent by the destination");
    DATA_BYTES = Field::one("databytes", "totDataBytes", Integer, "Payload bytes");
    SOURCE_PAYLOAD8 =
        Field::one("payload8.src.hex", "srcPayload8", LowerTerm, "First 8 payload bytes of the source, in hex");
    DESTINATION_PAYLOAD8 =
        Field::one("payload8.dst.hex", "dstPayload8", LowerTerm, "First 8 payload bytes of the destination, in hex");
    SOURCE_TTL = Field::set("ttl.src", "srcTTL", Integer, "Time to live of the source's packets");
    DESTINATION_TTL = Field::set("ttl.dst", "dstTTL", Integer, "Time to live of the destination's packets");
    SOURCE_DSCP = Field::set("dscp.src", "srcDscp", Integer, "Non-zero differentiated services of the source");
    DESTINATION_DSCP =
        Field::set("dscp.dst", "dstDscp", Integer, "Non-zero differentiated services of the destination");
    VLAN = Field::set("vlan", "network.vlan.id", Integer, "VLAN ids").counted(Count::EcsCnt);
    DOT1Q = Field::set("vlan.dot1q", "dot1q.id", Integer, "802.1Q VLAN ids");
    DOT1AD = Field::set("vlan.dot1ad", "dot1ad.id", Integer, "802.1ad VLAN ids");
    VNI = Field::set("vni", "vni", Integer, "Virtual network ids of tunnels");
    SOURCE_OUTER_IP = Field::set("outerip.src", "srcOuterIp", Ip, "Source addresses of tunnels");
    DESTINATION_OUTER_IP = Field::set("outerip.dst", "dstOuterIp", Ip, "Destination addresses of tunnels");
    SOURCE_OUTER_MAC =
        Field::set("outermac.src", "srcOuterMac", LowerTerm, "Source MACs around tunnels").counted(Count::EcsCnt);
    DESTINATION_OUTER_MAC =
        Field::set("outermac.dst", "dstOuterMac", LowerTerm, "Destination MACs around tunnels").counted(Count::EcsCnt);
    SOURCE_COUNTRY = Field::one("country.src", "source.geo.country_iso_code", UpperTerm, "Country of the source");
    DESTINATION_COUNTRY =
        Field::one("country.dst", "destination.geo.country_iso_code", UpperTerm, "Country of the destination");
    SOURCE_ASN = Field::one("asn.src", "source.as.full", Term, "Autonomous system of the source: number and name");
    DESTINATION_ASN =
        Field::one("asn.dst", "destination.as.full", Term, "Autonomous system of the destination: number and name");
    SOURCE_AS_NUMBER = Field::one("asn.src.number", "source.as.number", Integer, "Number of the source's system");
    DESTINATION_AS_NUMBER =
        Field::one("asn.dst.number", "destination.as.number", Integer, "Number of the destination's system");
    SOURCE_AS_NAME =
        Field::one("asn.src.name", "source.as.organization.name", Term, "Organisation of the source's system");
    DESTINATION_AS_NAME =
        Field::one("asn.dst.name", "destination.as.organization.name", Term, "Organisation of the destination's system");
    SOURCE_RIR = Field::one("rir.src", "srcRIR", UpperTerm, "Registry that gave out the source's address");
    DESTINATION_RIR = Field::one("rir.dst", "dstRIR", UpperTerm, "Registry that gave out the destination's address");
    SOURCE_OUI = Field::set("oui.src", "srcOui", Term, "Makers of the source's interfaces");
    DESTINATION_OUI = Field::set("oui.dst", "dstOui", Term, "Makers of the destination's interfaces");
    SOURCE_OUTER_COUNTRY =
        Field::list("country.outer-src", "srcOuterGEO", UpperTerm, "Countries of sources around tunnels").counted(Count::No);
    DESTINATION_OUTER_COUNTRY =
        Field::list("country.outer-dst", "dstOuterGEO", UpperTerm, "Countries of destinations around tunnels").counted(Count::No);
    SOURCE_OUTER_ASN =
        Field::list("asn.outer-src", "srcOuterASN", Term, "Autonomous systems of sources around tunnels").counted(Count::No);
    DESTINATION_OUTER_ASN =
        Field::list("asn.outer-dst", "dstOuterASN", Term, "Autonomous systems of destinations around tunnels").counted(Count::No);
    SOURCE_OUTER_RIR =
        Field::list("rir.outer-src", "srcOuterRIR", UpperTerm, "Registries of sources around tunnels").counted(Count::No);
    DESTINATION_OUTER_RIR =
        Field::list("rir.outer-dst", "dstOuterRIR", UpperTerm, "Registries of destinations around tunnels").counted(Count::No);
    SOURCE_OUTER_OUI = Field::set("outeroui.src", "srcOuterOui", Term, "Makers of sources' interfaces around tunnels");
    DESTINATION_OUTER_OUI =
        Field::set("outeroui.dst", "dstOuterOui", Term, "Makers of destinations' interfaces around tunnels");
    INITIAL_RTT = Field::one("initRTT", "initRTT", Integer, "Round trip of the TCP handshake, halved, ms");
    SOURCE_ISN_COUNT =
        Field::one("tcp.srcISNCnt", "srcISNCnt", Integer, "Different initial sequence numbers of the source");
    SYN_VALIDATED = Field::one("tcp.synValidated", "tcpSynValidated", Boolean, "The handshake's SYN was answered");
    SYN_ACK_VALIDATED =
        Field::one("tcp.synAckValidated", "tcpSynAckValidated", Boolean, "The handshake's SYN-ACK was answered");
    SEQUENCE_SOURCE = Field::one("tcpseq.src", "tcpseq.src", Integer, "Initial sequence number of the source");
    SEQUENCE_DESTINATION =
        Field::one("tcpseq.dst", "tcpseq.dst", Integer, "Initial sequence number of the destination");
    FLAG_SYN = Field::one("tcpflags.syn", "tcpflags.syn", Integer, "Packets with SYN and no ACK");
    FLAG_SYN_ACK = Field::one("tcpflags.syn-ack", "tcpflags.syn-ack", Integer, "Packets with SYN and ACK");
    FLAG_ACK = Field::one("tcpflags.ack", "tcpflags.ack", Integer, "Packets with ACK only");
    FLAG_PSH = Field::one("tcpflags.psh", "tcpflags.psh", Integer, "Packets with PSH");
    FLAG_FIN = Field::one("tcpflags.fin", "tcpflags.fin", Integer, "Packets with FIN");
    FLAG_RST = Field::one("tcpflags.rst", "tcpflags.rst", Integer, "Packets with RST");
    FLAG_URG = Field::one("tcpflags.urg", "tcpflags.urg", Integer, "Packets with URG");
    FLAG_ECE = Field::one("tcpflags.ece", "tcpflags.ece", Integer, "Packets with ECE");
    FLAG_CWR = Field::one("tcpflags.cwr", "tcpflags.cwr", Integer, "Packets with CWR");
    FLAG_AE = Field::one("tcpflags.ae", "tcpflags.ae", Integer, "Packets with AE (accurate ECN)");
    SOURCE_ZERO = Field::one("tcpflags.srcZero", "tcpflags.srcZero", Integer, "Zero windows of the source");
    DESTINATION_ZERO = Field::one("tcpflags.dstZero", "tcpflags.dstZero", Integer, "Zero windows of the destination");
    IP_ANY = Field::any("ip", Ip, &["*ip"], "Any address");
    PORT_ANY = Field::any("port", Integer, &["port.src", "port.dst"], "Either port");
    HOST_ANY = Field::any("host", LowerTerm, &["host.*"], "Any host name");
    MAC_ANY = Field::any("mac", LowerTerm, &["mac.src", "mac.dst"], "Either MAC address");
    OUTER_MAC_ANY = Field::any("outermac", LowerTerm, &["outermac.src", "outermac.dst"], "Either MAC around tunnels");
    OUTER_IP_ANY = Field::any("outerip", Ip, &["outerip.src", "outerip.dst"], "Either address of tunnels");
    COUNTRY_ANY = Field::any("country", UpperTerm, &["country.src", "country.dst"], "Country of either end");
    ASN_ANY = Field::any("asn", Term, &["asn.src", "asn.dst"], "Autonomous system of either end: number and name");
    RIR_ANY = Field::any("rir", UpperTerm, &["rir.src", "rir.dst"], "Registry of either end's address");
    OUI_ANY = Field::any("oui", Term, &["oui.src", "oui.dst"], "Makers of either end's interfaces");
    PAYLOAD8_ANY = Field::any(
        "payload8.hex", LowerTerm, &["payload8.src.hex", "payload8.dst.hex"], "First 8 payload bytes of either, in hex");
}
