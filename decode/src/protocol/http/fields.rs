//! What HTTP tells of a session.

use crate::field::{Count, Field, Kind};

use Kind::{Integer, Ip, LowerTerm, Term};

macro_rules! fields {
    ($($name:ident = $make:expr;)*) => {
        $(pub static $name: Field = $make;)*
        /// All but the methods' counts.
        pub static FIELDS: &[&Field] = &[$(&$name,)*];
    };
}

fields! {
    AUTH_TYPE = Field::set("http.authtype", "http.authType", LowerTerm, "Authentication schemes");
    BODY_MAGIC = Field::set("http.bodymagic", "http.bodyMagic", Term, "Types of bodies, by their content");
    CLIENT_VERSION = Field::set("http.version.src", "http.clientVersion", Term, "Versions in requests");
    COOKIE_KEY = Field::set("http.cookie.key", "http.cookieKey", Term, "Names of cookies sent");
    COOKIE_VALUE = Field::set("http.cookie.value", "http.cookieValue", Term, "Values of cookies sent");
    HOST = Field::set("host.http", "http.host", LowerTerm, "Host names").aliases(&["http.host"]);
    KEY = Field::set("http.uri.key", "http.key", Term, "Keys in query strings");
    MD5 = Field::set("http.md5", "http.md5", LowerTerm, "MD5 of bodies");
    METHOD = Field::set("http.method", "http.method", Term, "Methods");
    PATH = Field::set("http.uri.path", "http.path", Term, "Paths of URIs");
    REQUEST_AUTHORIZATION =
        Field::set("http.authorization", "http.request-authorization", Term, "Authorization headers");
    REQUEST_BODY = Field::set("http.reqbody", "http.requestBody", Term, "Small bodies of requests").counted(Count::No);
    REQUEST_HEADER = Field::set("http.hasheader.src", "http.requestHeader", LowerTerm, "Headers in requests");
    REQUEST_HEADER_FIELD =
        Field::list("http.header.request.field", "http.requestHeaderField", LowerTerm, "Headers, one a value")
            .counted(Count::No);
    REQUEST_HEADER_VALUE =
        Field::list("http.hasheader.src.value", "http.requestHeaderValue", LowerTerm, "Values of headers in requests");
    REQUEST_REFERER = Field::set("http.referer", "http.request-referer", Term, "Referer headers").aliases(&["http.request.referer"]);
    RESPONSE_HEADER = Field::set("http.hasheader.dst", "http.responseHeader", LowerTerm, "Headers in responses");
    RESPONSE_HEADER_FIELD =
        Field::list("http.header.response.field", "http.responseHeaderField", LowerTerm, "Headers, one a value")
            .counted(Count::No);
    RESPONSE_HEADER_VALUE =
        Field::list("http.hasheader.dst.value", "http.responseHeaderValue", LowerTerm, "Values of headers in responses");
    RESPONSE_LOCATION =
        Field::set("http.location", "http.response-location", Term, "Location headers").counted(Count::No).aliases(&["http.response.location"]);
    SERVER_VERSION = Field::set("http.version.dst", "http.serverVersion", Term, "Versions in responses");
    SHA256 = Field::set("http.sha256", "http.sha256", LowerTerm, "SHA-256 of bodies");
    STATUS_CODE = Field::set("http.statuscode", "http.statuscode", Integer, "Status codes");
    URI = Field::set("http.uri", "http.uri", Term, "URIs, with the host");
    USER = Field::set("http.user", "http.user", Term, "Users in Authorization headers");
    USER_AGENT = Field::set("http.user-agent", "http.useragent", Term, "User-Agent headers");
    VALUE = Field::set("http.uri.value", "http.value", Term, "Values in query strings");
    XFF_IP = Field::set("ip.xff", "http.xffIp", Ip, "X-Forwarded-For addresses");
    HAS_HEADER = Field::any("http.hasheader", LowerTerm, &["http.hasheader.src", "http.hasheader.dst"], "Headers");
    HAS_HEADER_VALUE = Field::any(
        "http.hasheader.value",
        LowerTerm,
        &["http.hasheader.src.value", "http.hasheader.dst.value"],
        "Values of headers",
    );
    VERSION = Field::any("http.version", Term, &["http.version.src", "http.version.dst"], "Versions");
}

macro_rules! methods {
    ($($name:ident $text:literal)*) => {
        mod count {
            use super::{Field, Integer};
            $(pub static $name: Field = Field::one(
                concat!("http.method.", $text), concat!("http.method-", $text), Integer, "Requests by this method");)*
        }
        /// Every method we know, and the field that counts its requests.
        pub static METHODS: &[(&str, &Field)] = &[$(($text, &count::$name),)*];
        /// The fields that count requests.
        pub static COUNTS: &[&Field] = &[$(&count::$name,)*];
    };
}

methods! {
    GET "GET" POST "POST" HEAD "HEAD" PUT "PUT" DELETE "DELETE" CONNECT "CONNECT" OPTIONS "OPTIONS" TRACE "TRACE"
    PATCH "PATCH" COPY "COPY" LOCK "LOCK" MKCOL "MKCOL" MOVE "MOVE" PROPFIND "PROPFIND" PROPPATCH "PROPPATCH"
    SEARCH "SEARCH" UNLOCK "UNLOCK" BIND "BIND" REBIND "REBIND" UNBIND "UNBIND" ACL "ACL" REPORT "REPORT"
    MKACTIVITY "MKACTIVITY" CHECKOUT "CHECKOUT" MERGE "MERGE" M_SEARCH "M-SEARCH" NOTIFY "NOTIFY"
    SUBSCRIBE "SUBSCRIBE" UNSUBSCRIBE "UNSUBSCRIBE" PURGE "PURGE" MKCALENDAR "MKCALENDAR" LINK "LINK" UNLINK "UNLINK"
    SOURCE "SOURCE" QUERY "QUERY"
}
