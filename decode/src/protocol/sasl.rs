//! Logging on by SASL in protocols of lines (SMTP, IMAP, POP3): whose name the exchange tells.

use base64::Engine;

use super::http::uri::BASE64;
use super::{Flow, ntlm};

/// One exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sasl {
    Plain,
    LoginUser,
    LoginPassword,
    Ntlm,
    Other,
}

impl Sasl {
    /// The exchange of a mechanism's name.
    pub fn new(mechanism: &[u8]) -> Sasl {
        match &mechanism.to_ascii_uppercase()[..] {
            b"PLAIN" => Sasl::Plain,
            b"LOGIN" => Sasl::LoginUser,
            b"NTLM" | b"GSSAPI" | b"GSS-SPNEGO" => Sasl::Ntlm,
            _ => Sasl::Other,
        }
    }

    /// The client's next line; the exchange that goes on after it, if any.
    pub fn client(self, flow: &mut Flow<'_>, line: &[u8]) -> Option<Sasl> {
        let decoded = BASE64.decode(line.trim_ascii()).ok()?;
        match self {
            Sasl::Plain => {
                // `authorisation NUL user NUL password`
                if let Some(user) = decoded.split(|&b| b == 0).nth(1) {
                    flow.user(user);
                }
                None
            }
            Sasl::LoginUser => {
                flow.user(&decoded);
                Some(Sasl::LoginPassword)
            }
            Sasl::Ntlm => {
                ntlm::find(flow, &decoded);
                Some(self)
            }
            Sasl::LoginPassword | Sasl::Other => None,
        }
    }

    /// The server's challenge, without what its protocol puts before it.
    pub fn server(self, flow: &mut Flow<'_>, text: &[u8]) {
        if let (Sasl::Ntlm, Ok(decoded)) = (self, BASE64.decode(text.trim_ascii())) {
            ntlm::find(flow, &decoded);
        }
    }
}
