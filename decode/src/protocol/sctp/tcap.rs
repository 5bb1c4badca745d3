//! TCAP: remote operations of the telephone network, and CAMEL's among them.

use super::{CAMEL_CALLED, CAMEL_CALLING, CAMEL_IMSI, CAMEL_OPERATION, TCAP_OPCODE};
use crate::field::Field;
use crate::protocol::Flow;
use crate::protocol::ber::{Element, Elements};

const TRANSACTIONS: [u32; 4] = [0x61, 0x62, 0x64, 0x65];
const DIALOGUE: u32 = 0x6b;
const COMPONENTS: u32 = 0x6c;
const INVOKE: u32 = 0xa1;
const INTEGER: u32 = 0x02;
const OBJECT: u32 = 0x06;
const SEQUENCE: u32 = 0x30;
const CONSTRUCTED: u32 = 0x20;
/// Elements within elements that are searched for the application's context.
const MAX_DEPTH: u8 = 8;

/// CAMEL's application contexts: 0.4.0.0.1.0.50 (phases 1 and 2), 0.4.0.0.1.21.3 and 0.4.0.0.1.23.3 (3 and 4).
const CAMEL: [&[u8]; 3] = [&[4, 0, 0, 1, 0, 50], &[4, 0, 0, 1, 21, 3], &[4, 0, 0, 1, 23, 3]];

/// Reads a message; the session is called CAMEL's once one of its contexts was agreed on.
pub fn message(flow: &mut Flow<'_>, data: &[u8]) {
    let Some(transaction) = Elements::new(data).next().filter(|e| TRANSACTIONS.contains(&e.tag)) else { return };
    for part in transaction.elements() {
        match part.tag {
            DIALOGUE if is_camel(part, 0) => flow.protocol("camel"),
            COMPONENTS => part.elements().filter(|e| e.tag == INVOKE).for_each(|invoke| operation(flow, invoke)),
            _ => {}
        }
    }
}

fn is_camel(element: Element<'_>, depth: u8) -> bool {
    element.elements().any(|inner| match inner.tag {
        OBJECT => CAMEL.iter().any(|context| inner.value.starts_with(context)),
        tag => tag & CONSTRUCTED != 0 && depth < MAX_DEPTH && is_camel(inner, depth + 1),
    })
}

/// An operation: an id, perhaps the one it is linked to, the number, and arguments.
fn operation(flow: &mut Flow<'_>, invoke: Element<'_>) {
    let mut parts = invoke.elements().skip(1).skip_while(|e| e.tag == 0x80);
    let Some(number) = parts.next().filter(|e| e.tag == INTEGER).and_then(|e| e.integer()) else { return };
    flow.fields.int(&TCAP_OPCODE, number);
    if !flow.has_protocol("camel") {
        return;
    }
    match camel(number) {
        Some(name) => flow.fields.text(&CAMEL_OPERATION, name),
        None => flow.fields.text(&CAMEL_OPERATION, &number.to_string()),
    }
    if let Some(arguments) = parts.next().filter(|e| e.tag == SEQUENCE) {
        arguments.elements().for_each(|argument| told(flow, argument));
    }
}

/// Numbers and subscribers among an operation's arguments (those of initialDP).
fn told(flow: &mut Flow<'_>, argument: Element<'_>) {
    match (argument.tag, argument.value) {
        // A number's two bytes of kind and plan; the first one's high bit says that its last digit is none.
        (0x82, [kind, _, digits @ ..]) => add(flow, &CAMEL_CALLED, digits, kind & 0x80 != 0),
        (0x83, [kind, _, digits @ ..]) => add(flow, &CAMEL_CALLING, digits, kind & 0x80 != 0),
        (0x9f32, digits) => add(flow, &CAMEL_IMSI, digits, false),
        (0x9f38, [_, digits @ ..]) => add(flow, &CAMEL_CALLED, digits, false),
        _ => {}
    }
}

fn add(flow: &mut Flow<'_>, field: &Field, digits: &[u8], odd: bool) {
    let count = (digits.len() * 2).saturating_sub(usize::from(odd));
    let text: String = digits
        .iter()
        .flat_map(|pair| [pair & 0xf, pair >> 4])
        .take(count)
        .map_while(|digit| "0123456789*#abc".chars().nth(usize::from(digit)))
        .collect();
    flow.fields.text(field, &text);
}

#[rustfmt::skip]
const OPERATIONS: &[(i64, &str)] = &[
    (0, "initialDP"), (16, "assistRequestInstructions"), (17, "establishTemporaryConnection"),
    (18, "disconnectForwardConnection"), (19, "connectToResource"), (20, "connect"), (22, "releaseCall"),
    (23, "requestReportBCSMEvent"), (24, "eventReportBCSM"), (27, "collectInformation"), (31, "continue"),
    (33, "resetTimer"), (34, "furnishChargingInformation"), (35, "applyCharging"), (36, "applyChargingReport"),
    (41, "callGap"), (44, "callInformationReport"), (45, "callInformationRequest"), (46, "sendChargingInformation"),
    (47, "playAnnouncement"), (48, "promptAndCollectUserInformation"), (49, "specializedResourceReport"),
    (53, "cancel"), (55, "activityTest"), (60, "initialDPSMS"), (61, "furnishChargingInformationSMS"),
    (62, "connectSMS"), (63, "requestReportSMSEvent"), (64, "eventReportSMS"), (65, "continueSMS"),
    (66, "releaseSMS"), (67, "resetTimerSMS"), (70, "activityTestGPRS"), (71, "applyChargingGPRS"),
    (72, "applyChargingReportGPRS"), (73, "cancelGPRS"), (74, "connectGPRS"), (75, "continueGPRS"),
    (76, "entityReleasedGPRS"), (77, "furnishChargingInformationGPRS"), (78, "initialDPGPRS"), (79, "releaseGPRS"),
    (80, "eventReportGPRS"), (81, "requestReportGPRSEvent"), (82, "resetTimerGPRS"), (83, "sendChargingInformationGPRS"),
    (88, "continueWithArgument"), (90, "disconnectLeg"), (93, "moveLeg"), (95, "splitLeg"), (96, "entityReleased"),
    (97, "playTone"),
];

fn camel(number: i64) -> Option<&'static str> {
    OPERATIONS.iter().find(|(n, _)| *n == number).map(|(_, name)| *name)
}
