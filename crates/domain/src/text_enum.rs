//! Enums that are stored and sent as fixed words.
//!
//! One declaration gives the word of each variant and generates the database and JSON forms, so that the words of the
//! schema's `CHECK` constraints, the API and the program agree.

/// Declares an enum with a fixed word for each variant.
///
/// The OpenAPI description uses the enum's name, or the name after `as` if another enum has the same name.
macro_rules! text_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($variants:tt)+ }) => {
        $crate::text_enum::text_enum! { $(#[$meta])* $vis enum $name as $name { $($variants)+ } }
    };
    ($(#[$meta:meta])* $vis:vis enum $name:ident as $shown:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word that is stored and sent.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text_enum::UnknownWord;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::text_enum::UnknownWord { allowed: &[$($word),+] }),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<str>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .enum_values(Some([$($word),+]))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($shown).into()
            }
        }

        $crate::text_enum::stored_as_text!($name, sqlx::Postgres, sqlx::postgres::PgArgumentBuffer, sqlx::postgres::PgTypeInfo, sqlx::postgres::PgValueRef);
        $crate::text_enum::stored_as_text!($name, sqlx::Sqlite, sqlx::sqlite::SqliteArgumentsBuffer, sqlx::sqlite::SqliteTypeInfo, sqlx::sqlite::SqliteValueRef);
    };
}

macro_rules! stored_as_text {
    ($name:ident, $database:ty, $buffer:ty, $type_info:ty, $value:ident $(:: $value_path:ident)*) => {
        impl sqlx::Type<$database> for $name {
            fn type_info() -> $type_info {
                <str as sqlx::Type<$database>>::type_info()
            }
            fn compatible(stored: &$type_info) -> bool {
                <str as sqlx::Type<$database>>::compatible(stored)
            }
        }

        impl sqlx::Encode<'_, $database> for $name {
            fn encode_by_ref(
                &self,
                buffer: &mut $buffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                <&str as sqlx::Encode<'_, $database>>::encode(self.as_str(), buffer)
            }
        }

        impl<'r> sqlx::Decode<'r, $database> for $name {
            fn decode(value: $value $(:: $value_path)* <'r>) -> Result<Self, sqlx::error::BoxDynError> {
                Ok(<&str as sqlx::Decode<'r, $database>>::decode(value)?.parse()?)
            }
        }
    };
}

pub(crate) use stored_as_text;
pub(crate) use text_enum;

/// The text is not one of the allowed words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {}", allowed.join(", "))]
pub struct UnknownWord {
    pub allowed: &'static [&'static str],
}
