//! What JSON does not tell apart: it writes `null` for `None`, for `()` and for a float that is no
//! number.

use std::fmt::Display;

use serde::Serialize;
use serde::de::value::Error;
use serde::ser::{self, Serializer};

/// Whether something in `json` may be a `null`.
pub(super) fn says_null(json: &[u8]) -> bool {
    const NULL: &[u8] = b"null";
    json.windows(NULL.len()).any(|part| part == NULL)
}

/// Whether `read`, which `json` gave, has all that `sent` had, of which `json` was written.
pub(super) fn comes_back<T: Serialize>(sent: &T, read: &T, json: &[u8]) -> Result<(), String> {
    if !says_null(json) {
        return Ok(());
    }
    let (sent, read) = (Kinds::of(sent)?, Kinds::of(read)?);
    if read.not_finite < sent.not_finite {
        return Err(
            "a float that is infinite or not a number comes back as nothing; JSON has only finite numbers".into()
        );
    }
    if read.some < sent.some {
        return Err("a `Some` comes back as `None`, because JSON writes what is in it as `null` too".into());
    }
    Ok(())
}

/// How much of a value could be lost in a `null`. It is counted, not compared in order, because maps
/// and sets come in any.
#[derive(Default)]
struct Kinds {
    some: usize,
    not_finite: usize,
}

impl Kinds {
    fn of(value: &impl Serialize) -> Result<Self, String> {
        let mut kinds = Self::default();
        value.serialize(&mut kinds).map_err(|error| error.to_string())?;
        Ok(kinds)
    }
}

/// Values in which nothing can be lost.
macro_rules! plain {
    ($($method:ident($type:ty))*) => {
        $(fn $method(self, _: $type) -> Result<(), Error> {
            Ok(())
        })*
    };
}

/// The beginnings of compound values.
macro_rules! compound {
    ($($method:ident($($type:ty),*) -> $part:ident)*) => {
        type Ok = ();
        type Error = Error;
        $(type $part = Self;

        fn $method(self, $(_: $type),*) -> Result<Self, Error> {
            Ok(self)
        })*
    };
}

impl Serializer for &mut Kinds {
    compound! {
        serialize_seq(Option<usize>) -> SerializeSeq
        serialize_tuple(usize) -> SerializeTuple
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant
        serialize_map(Option<usize>) -> SerializeMap
        serialize_struct(&'static str, usize) -> SerializeStruct
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant
    }

    plain! {
        serialize_bool(bool) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_unit_struct(&'static str)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.not_finite += usize::from(!value.is_finite());
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.some += 1;
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn collect_str<T: Display + ?Sized>(self, _: &T) -> Result<(), Error> {
        Ok(())
    }
}

/// The parts of compound values, one after the other.
macro_rules! parts {
    ($($trait:ident { $($method:ident($($key:ty)?))* })*) => {
        $(impl ser::$trait for &mut Kinds {
            type Ok = ();
            type Error = Error;

            $(fn $method<T: Serialize + ?Sized>(&mut self, $(_: $key,)? value: &T) -> Result<(), Error> {
                value.serialize(&mut **self)
            })*

            fn end(self) -> Result<(), Error> {
                Ok(())
            }
        })*
    };
}

parts! {
    SerializeSeq { serialize_element() }
    SerializeTuple { serialize_element() }
    SerializeTupleStruct { serialize_field() }
    SerializeTupleVariant { serialize_field() }
    SerializeMap { serialize_key() serialize_value() }
    SerializeStruct { serialize_field(&'static str) }
    SerializeStructVariant { serialize_field(&'static str) }
}
