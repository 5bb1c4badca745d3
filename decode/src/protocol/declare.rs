//! Saves each protocol from naming its fields twice: once as statics, once in the list of them.

/// Makes a `static` of each field and a `static FIELDS` of all of them.
#[macro_export]
macro_rules! declare_fields {
    ($($name:ident = $make:expr;)*) => {
        $(pub static $name: $crate::field::Field = $make;)*
        static FIELDS: &[&$crate::field::Field] = &[$(&$name),*];
    };
}
