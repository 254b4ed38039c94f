//! CBOR for the operating system's strings: byte strings, never text, for they need not be UTF-8.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};

fn put<W: Write>(value: &OsStr, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
    e.bytes(value.as_bytes()).map(drop)
}

fn get(d: &mut Decoder<'_>) -> Result<OsString, DecodeError> {
    Ok(OsString::from_vec(d.bytes()?.to_vec()))
}

/// A definite number of items. Nothing is allocated ahead: every item costs the sender at least one byte.
fn get_all<T>(
    d: &mut Decoder<'_>,
    mut item: impl FnMut(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = d
        .array()?
        .ok_or_else(|| DecodeError::message("an array of indefinite length"))?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(item(d)?);
    }
    Ok(items)
}

/// One string.
pub(crate) mod one {
    use super::*;

    pub fn encode<C, W: Write>(
        v: &OsString,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        put(v, e)
    }

    pub fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<OsString, DecodeError> {
        get(d)
    }
}

/// Several strings.
pub(crate) mod list {
    use super::*;

    pub fn encode<C, W: Write>(
        v: &[OsString],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.array(v.len() as u64)?;
        v.iter().try_for_each(|item| put(item, e))
    }

    pub fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<OsString>, DecodeError> {
        get_all(d, get)
    }
}

/// None or one string, as an array of at most one.
pub(crate) mod option {
    use super::*;

    pub fn encode<C, W: Write>(
        v: &Option<OsString>,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.array(u64::from(v.is_some()))?;
        v.iter().try_for_each(|item| put(item, e))
    }

    pub fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Option<OsString>, DecodeError> {
        let mut found = get_all(d, get)?;
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ => Err(DecodeError::message("more than one value")),
        }
    }
}

/// Names with values, flat: name, value, name, value.
pub(crate) mod pairs {
    use super::*;

    pub fn encode<C, W: Write>(
        v: &[(OsString, OsString)],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.array(v.len() as u64 * 2)?;
        v.iter().try_for_each(|(name, value)| {
            put(name, e)?;
            put(value, e)
        })
    }

    pub fn decode<C>(
        d: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<Vec<(OsString, OsString)>, DecodeError> {
        let flat = get_all(d, get)?;
        if flat.len() % 2 != 0 {
            return Err(DecodeError::message("a name without a value"));
        }
        let mut pairs = Vec::with_capacity(flat.len() / 2);
        let mut rest = flat.into_iter();
        while let (Some(name), Some(value)) = (rest.next(), rest.next()) {
            pairs.push((name, value));
        }
        Ok(pairs)
    }
}
