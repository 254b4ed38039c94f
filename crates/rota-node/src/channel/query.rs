//! What a worker says when it wants to listen.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// `addressType` of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressType {
    /// TCP over IPv4, or over both when no address is given.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// A Unix socket.
    Pipe,
    /// UDP over IPv4.
    Udp4,
    /// UDP over IPv6.
    Udp6,
}

impl AddressType {
    /// Datagrams: there are no connections to deal.
    #[must_use]
    pub fn is_udp(self) -> bool {
        matches!(self, Self::Udp4 | Self::Udp6)
    }

    fn as_key(self) -> &'static str {
        match self {
            Self::Tcp4 => "4",
            Self::Tcp6 => "6",
            Self::Pipe => "-1",
            Self::Udp4 => "udp4",
            Self::Udp6 => "udp6",
        }
    }
}

/// The fields of `queryServer` (and of `listening`, which repeats them with the real port).
///
/// Numbers and flags are read leniently: Node passes on what the app gave to `listen()`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Query<'a> {
    /// An address or the path of a Unix socket; `None` = any address.
    #[serde(borrow, default)]
    pub address: Option<Cow<'a, str>>,
    /// The port; -1 for a Unix socket.
    #[serde(default, deserialize_with = "lenient_number")]
    pub port: Option<i64>,
    /// The kind of socket. Node leaves it out for `listen({fd})`.
    #[serde(default, deserialize_with = "address_type")]
    pub address_type: Option<AddressType>,
    /// A descriptor of the primary's to listen on.
    #[serde(default, deserialize_with = "lenient_number")]
    pub fd: Option<i64>,
    /// The how-manieth socket with the same address in this worker.
    #[serde(default, deserialize_with = "lenient_number")]
    pub index: Option<i64>,
    /// libuv's bind flags.
    #[serde(default, deserialize_with = "lenient_number")]
    pub flags: Option<i64>,
    /// The length of the kernel's accept queue that the app asked for.
    #[serde(default, deserialize_with = "lenient_number")]
    pub backlog: Option<i64>,
    /// A Unix socket that everybody may read from.
    #[serde(default, deserialize_with = "lenient_flag")]
    pub readable_all: bool,
    /// A Unix socket that everybody may write to.
    #[serde(default, deserialize_with = "lenient_flag")]
    pub writable_all: bool,
    /// What the first worker wants every worker of this listener to know (TLS ticket keys).
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
}

impl Query<'_> {
    /// The name of the listener: the same for every worker that wants the same.
    #[must_use]
    pub fn key(&self) -> String {
        let number = |value: Option<i64>| value.map_or("null".to_owned(), |n| n.to_string());
        format!(
            "{}:{}:{}:{}:{}",
            self.address.as_deref().unwrap_or("null"),
            number(self.port),
            self.address_type.map_or("null", AddressType::as_key),
            number(self.fd),
            number(self.index),
        )
    }
}

/// A socket's own address as Node prints it.
#[derive(Debug, Serialize)]
pub(super) struct SocknameJson<'a> {
    pub(super) address: &'a str,
    pub(super) family: &'a str,
    pub(super) port: u16,
}

fn address_type<'de, D: Deserializer<'de>>(from: D) -> Result<Option<AddressType>, D::Error> {
    struct Kind;
    impl Visitor<'_> for Kind {
        type Value = Option<AddressType>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("4, 6, -1, \"udp4\" or \"udp6\"")
        }
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            match number {
                4 => Ok(Some(AddressType::Tcp4)),
                6 => Ok(Some(AddressType::Tcp6)),
                _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
            }
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
            match number {
                -1 => Ok(Some(AddressType::Pipe)),
                _ => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
            }
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            match text {
                "udp4" => Ok(Some(AddressType::Udp4)),
                "udp6" => Ok(Some(AddressType::Udp6)),
                _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
            }
        }
    }
    from.deserialize_any(Kind)
}

/// Any scalar; what is no whole number is as good as absent.
struct Scalar;

impl Visitor<'_> for Scalar {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }
    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(i64::from(value)))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).ok())
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
        // Out of range saturates; Node never sends such a number.
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
        Ok(value.is_finite().then_some(value as i64))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.trim().parse().ok())
    }
}

fn lenient_number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    from.deserialize_any(Scalar)
}

fn lenient_flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(from
        .deserialize_any(Scalar)?
        .is_some_and(|value| value != 0))
}
