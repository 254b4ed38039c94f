//! What an epoll event is about.

use rustix::event::epoll::EventData;

/// The source of an event. Numbers are never reused, so that an event of something that was closed
/// in the same turn meets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// An order came, or the handle is gone.
    Bell,
    /// A worker's channel.
    Channel(u64),
    /// A listening socket.
    Socket(u64),
}

impl From<Token> for EventData {
    fn from(token: Token) -> Self {
        Self::new_u64(match token {
            Token::Bell => 0,
            Token::Channel(worker) => worker << 2 | 1,
            Token::Socket(number) => number << 2 | 2,
        })
    }
}

impl From<EventData> for Token {
    fn from(data: EventData) -> Self {
        let value = data.u64();
        match value & 3 {
            1 => Self::Channel(value >> 2),
            2 => Self::Socket(value >> 2),
            _ => Self::Bell,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        for token in [Token::Bell, Token::Channel(7), Token::Socket(u64::MAX >> 2)] {
            assert_eq!(Token::from(EventData::from(token)), token);
        }
    }
}
