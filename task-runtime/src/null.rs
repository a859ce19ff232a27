//! What JSON writes as `null`, told apart: `None`, `()`, and floats that are no numbers.

use std::fmt::Display;

use memchr::memmem;
use serde::Serialize;
use serde::de::value::Error;
use serde::ser::{self, Serializer};

/// The letter of a `Some`.
pub(crate) const SOME: char = 's';
/// The letters of floats that JSON has no number for.
pub(crate) const NOT_FINITE: [char; 3] = [NAN, INFINITY, NEG_INFINITY];
const NAN: char = 'x';
const INFINITY: char = 'i';
const NEG_INFINITY: char = 'j';

/// Whether something in `json` may be a `null`.
pub(crate) fn says_null(json: &[u8]) -> bool {
    memmem::find(json, b"null").is_some()
}

/// One letter for each part of a value that could be a `null`, in order.
pub(crate) fn letters(value: &(impl Serialize + ?Sized)) -> Result<String, String> {
    let mut letters = Letters(String::new());
    value.serialize(&mut letters).map_err(|error| error.to_string())?;
    Ok(letters.0)
}

struct Letters(String);

impl Letters {
    fn push(&mut self, letter: char) -> Result<(), Error> {
        self.0.push(letter);
        Ok(())
    }
}

/// Values that are never written as `null`.
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

impl Serializer for &mut Letters {
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
    }

    fn serialize_f32(self, float: f32) -> Result<(), Error> {
        self.serialize_f64(float.into())
    }

    fn serialize_f64(self, float: f64) -> Result<(), Error> {
        match float {
            float if float.is_nan() => self.push(NAN),
            f64::INFINITY => self.push(INFINITY),
            f64::NEG_INFINITY => self.push(NEG_INFINITY),
            _ => Ok(()),
        }
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.push('n')
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.push(SOME)?;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.push('u')
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.push('u')
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
        $(impl ser::$trait for &mut Letters {
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
