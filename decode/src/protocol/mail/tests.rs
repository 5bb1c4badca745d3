//! Messages with parts within parts, folded headers, files in base64.

use super::*;
use crate::protocol::Transport;
use crate::protocol::testing::Harness;

const MESSAGE: &str = "Received: from mx1 (unknown [10.000.00.2]) by mx2.example (Postfix)\n\tfor <x@y>; date\n\
    Received: (from me@localhost)\n by mx1\nFrom: \"Doe, Joe\" <Joe@A.example>\nTo: a@b, C <c@d>\n\
    Subject: =?utf-8?B?w6k=?=\n =?utf-8?Q?_x?=\nX-Originating-IP: [192.0.2.9]\nX-Empty:\nMessage-ID: <1@a>\n\
    Content-Type: multipart/mixed;\n\tboundary=\"out\"\n\npreamble\n--out\n\
    Content-Type: multipart/alternative; boundary=in\n\n--in\nContent-Type: text/plain\n\nhello\n--in--\n--out\n\
    Content-Type: image/gif; name=\"a.gif\"\nContent-Transfer-Encoding: base64\n\
    Content-Disposition: attachment; filename=\"b.gif\"\n\nR0lGO\nDlh\n--out--\n";

fn read(text: &str) -> Harness {
    let mut harness = Harness::new(Transport::Tcp, 25);
    let mut message = Message::default();
    harness.with(|flow| {
        text.split('\n').for_each(|line| message.line(flow, line.as_bytes()));
        message.end(flow);
    });
    harness
}

#[test]
fn a_message_tells_people_machines_and_files() {
    let harness = read(MESSAGE);
    assert_eq!(harness.texts(&SOURCE), ["joe@a.example"]);
    assert_eq!(harness.texts(&DESTINATION), ["a@b", "c@d"]);
    assert_eq!(harness.texts(&HOST), ["mx1", "mx2.example", "localhost"]);
    assert_eq!(harness.texts(&SUBJECT), ["é x"]);
    assert_eq!(harness.texts(&ID), ["1@a"]);
    assert_eq!(harness.texts(&HEADER_FIELD), ["x-empty"]);
    assert_eq!(harness.texts(&HEADER_VALUE), [""]);
    assert_eq!(harness.texts(&CONTENT_TYPE), ["multipart/mixed; boundary=\"out\""]);
    assert_eq!(harness.texts(&FILE_NAME), ["a.gif", "b.gif"]);
    assert_eq!(harness.texts(&BODY_MAGIC), ["image/gif"]);
    // The six bytes "GIF89a" in two lines.
    assert_eq!(harness.texts(&MD5), ["1ac2109d47dbc72551f71df89d01ed18"]);
    let Some(crate::values::Values::Ips(ips)) = harness.fields.get(&IP) else { panic!("no addresses") };
    assert_eq!(ips.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.2", "192.0.2.9"]);
}

#[test]
fn a_message_cut_anywhere_gives_what_there_was() {
    for end in 0..MESSAGE.len() {
        let harness = read(&MESSAGE[..end]);
        assert!(harness.texts(&SOURCE).len() <= 1);
    }
}
