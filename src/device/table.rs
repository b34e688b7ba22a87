//! The tables of [activations](super::activation) and [losses](super::loss).

/// A table of operations of one kind, which a row declares with its word: an enum with all of them, a type of each for its functions, its file of the same
/// functions in WGSL (`shaders/FOLDER/WORD.wgsl`), and `$each!(value, F => body)`, which evaluates the body with `F` the type, so that a loop in it
/// is compiled for each. `$` comes first: the macro is made of it.
macro_rules! table {
    ($d:tt $(#[$about:meta])* $table:ident of $module:ident in $folder:literal by $each:ident, $functions:tt:
     $($(#[$doc:meta])* $name:ident $word:literal,)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $table { $($(#[$doc])* #[serde(rename = $word)] $name,)* }

        $($(#[$doc])* #[derive(Debug)] pub struct $name;)*

        impl $table {
            /// All there are.
            pub const ALL: &'static [$table] = &[$($table::$name,)*];

            /// As options and files call it.
            pub fn word(self) -> &'static str {
                match self { $($table::$name => $word,)* }
            }

            /// Its functions in WGSL: the file's path under `shaders/`.
            pub(crate) fn shader(self) -> &'static str {
                match self {
                    $($table::$name => $crate::device::wgsl!(concat!($folder, "/", $word, ".wgsl"), $functions),)*
                }
            }
        }

        macro_rules! $each {
            ($d value:expr, $d F:ident => $d body:expr) => {
                match $d value {
                    $($crate::device::$module::$table::$name => {
                        type $d F = $crate::device::$module::$name;
                        $d body
                    })*
                }
            };
        }
        pub(crate) use $each;
    };
}
pub(crate) use table;
