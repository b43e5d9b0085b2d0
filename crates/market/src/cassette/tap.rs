//! Reads the frames of a WebSocket that passes by, without being in its way.
//!
//! Why of our own: a library that reads a WebSocket also answers on it, and whoever records must not say a word.
//! So bytes are carried as they come, and a copy of them is read here (RFC 6455 §5). Extensions are not
//! negotiated by whoever carries them, so a frame with a reserved bit is none that can be read.
//! - Bounds: 4 MiB of message; what is longer, or cannot be read, ends the reading and says so.
//!
//! Not here: what is made of a message ([`super::recorder`]).

/// Upper bound on a message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Something that went by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A whole message of text.
    Text(String),
    /// The side that is read says that it ends, and why.
    Close(Option<(u16, String)>),
    /// Something that is no text or cannot be read; nothing of what follows is read.
    Unreadable,
    /// A message that is too long; nothing of what follows is read.
    TooLong,
}

/// Reads one direction of one connection.
#[derive(Debug, Default)]
pub struct Tap {
    buffer: Vec<u8>,
    /// A message whose frames are not all there.
    // Invariant: at most MAX_MESSAGE_BYTES.
    message: Option<Vec<u8>>,
    is_over: bool,
}

/// A frame in the buffer.
struct Frame {
    is_last: bool,
    opcode: u8,
    payload: Vec<u8>,
    /// Bytes that it took.
    length: usize,
}

impl Tap {
    /// Reads on with the bytes that came next.
    pub fn see(&mut self, bytes: &[u8]) -> Vec<Seen> {
        let mut seen = Vec::new();
        if self.is_over {
            return seen;
        }
        self.buffer.extend_from_slice(bytes);
        let mut read = 0;
        while !self.is_over {
            match frame(self.buffer.get(read..).unwrap_or_default()) {
                Ok(Some(frame)) => {
                    read += frame.length;
                    self.take(frame, &mut seen);
                }
                Ok(None) => break,
                Err(what) => self.end(what, &mut seen),
            }
        }
        if self.is_over {
            self.buffer = Vec::new();
        } else {
            self.buffer.drain(..read);
        }
        seen
    }

    fn take(&mut self, frame: Frame, seen: &mut Vec<Seen>) {
        match (frame.opcode, self.message.take()) {
            (0x1, None) => self.message = Some(frame.payload),
            (0x0, Some(mut message)) => {
                if message.len().saturating_add(frame.payload.len()) > MAX_MESSAGE_BYTES {
                    return self.end(Seen::TooLong, seen);
                }
                message.extend_from_slice(&frame.payload);
                self.message = Some(message);
            }
            (0x8, _) => return self.end(Seen::Close(reason(&frame.payload)), seen),
            // A ping or its answer, perhaps in the middle of a message.
            (0x9 | 0xA, message) => {
                self.message = message;
                return;
            }
            _ => return self.end(Seen::Unreadable, seen),
        }
        if frame.is_last {
            let whole = self.message.take().unwrap_or_default();
            match String::from_utf8(whole) {
                Ok(text) => seen.push(Seen::Text(text)),
                Err(_no_text) => self.end(Seen::Unreadable, seen),
            }
        }
    }

    fn end(&mut self, what: Seen, seen: &mut Vec<Seen>) {
        seen.push(what);
        self.is_over = true;
        self.message = None;
    }
}

/// Reads the frame that the bytes begin with; `None` while it is not whole.
fn frame(bytes: &[u8]) -> Result<Option<Frame>, Seen> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if first & 0x70 != 0 {
        return Err(Seen::Unreadable);
    }
    let (is_masked, short) = (second & 0x80 != 0, usize::from(second & 0x7F));
    let wide = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some((length, rest)) = rest.split_at_checked(wide) else {
        return Ok(None);
    };
    let length = if wide == 0 {
        short
    } else {
        let long = length
            .iter()
            .fold(0_u64, |long, byte| long.wrapping_shl(8) | u64::from(*byte));
        usize::try_from(long).map_err(|_beyond_memory| Seen::TooLong)?
    };
    if length > MAX_MESSAGE_BYTES {
        return Err(Seen::TooLong);
    }
    let Some((mask, rest)) = rest.split_at_checked(if is_masked { 4 } else { 0 }) else {
        return Ok(None);
    };
    let Some(payload) = rest.get(..length) else {
        return Ok(None);
    };
    let mut payload = payload.to_vec();
    if is_masked {
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
    }
    Ok(Some(Frame {
        is_last: first & 0x80 != 0,
        opcode: first & 0x0F,
        payload,
        length: 2 + wide + mask.len() + length,
    }))
}

/// Reads what a closing frame says.
fn reason(payload: &[u8]) -> Option<(u16, String)> {
    let (code, reason) = payload.split_at_checked(2)?;
    let code = u16::from_be_bytes(code.try_into().ok()?);
    Some((code, String::from_utf8_lossy(reason).into_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes a frame as RFC 6455 has it.
    fn written(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut bytes = vec![first];
        let masked = if mask.is_some() { 0x80 } else { 0 };
        match payload.len() {
            short @ 0..=125 => bytes.push(masked | u8::try_from(short).unwrap()),
            long @ 126..=0xFFFF => {
                bytes.push(masked | 0x7e);
                bytes.extend(u16::try_from(long).unwrap().to_be_bytes());
            }
            longer => {
                bytes.push(masked | 0x7f);
                bytes.extend((longer as u64).to_be_bytes());
            }
        }
        let mask = mask.inspect(|mask| bytes.extend(mask)).unwrap_or_default();
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
        bytes
    }

    fn seen(bytes: &[u8]) -> Vec<Seen> {
        Tap::default().see(bytes)
    }

    fn text(text: &str) -> Seen {
        Seen::Text(text.to_owned())
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        // RFC 6455 §5.7: single, masked, in two parts, ping between.
        assert_eq!(seen(b"\x81\x05Hello"), [text("Hello")]);
        assert_eq!(
            seen(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
            [text("Hello")]
        );
        assert_eq!(
            seen(b"\x01\x03Hel\x89\x05Hello\x80\x02lo\x81\x00"),
            [text("Hello"), text("")]
        );
        assert_eq!(
            seen(b"\x88\x06\x03\xe9away"),
            [Seen::Close(Some((1001, "away".to_owned())))]
        );
        assert_eq!(seen(b"\x88\x00"), [Seen::Close(None)]);
    }

    #[test]
    fn what_cannot_be_read_ends_the_reading() {
        for bytes in [
            &b"\x82\x01a\x81\x01b"[..], // binary
            b"\xc1\x01a\x81\x01b",      // compressed
            b"\x80\x01a\x81\x01b",      // the end of nothing
            b"\x83\x01a\x81\x01b",      // no such opcode
            b"\x81\x01\xff\x81\x01b",   // no UTF-8
            b"\x01\x01a\x81\x01b",      // a message within a message
        ] {
            assert_eq!(seen(bytes), [Seen::Unreadable], "{bytes:?}");
        }
        assert_eq!(
            seen(b"\x81\x7f\x00\x00\x00\x00\x00\x40\x00\x01"),
            [Seen::TooLong]
        );
        assert_eq!(
            seen(b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"),
            [Seen::TooLong]
        );
        let half = vec![b'x'; MAX_MESSAGE_BYTES / 2 + 1];
        let mut tap = Tap::default();
        assert_eq!(tap.see(&written(0x01, &half, None)), []);
        assert_eq!(tap.see(&written(0x80, &half, None)), [Seen::TooLong]);
        assert_eq!(tap.see(b"\x81\x05Hello"), []);
    }

    proptest! {
        #[test]
        fn however_bytes_are_cut_the_messages_are_the_same(
            messages in proptest::collection::vec((".{0,200}", any::<Option<[u8; 4]>>(), 0..3_usize), 0..6),
            cuts in proptest::collection::vec(1..90_usize, 1..20),
        ) {
            let mut bytes = Vec::new();
            for (message, mask, parts) in &messages {
                let (payload, each) = (message.as_bytes(), message.len() / (parts + 1) + 1);
                let mut pieces: Vec<&[u8]> = payload.chunks(each).collect();
                if pieces.is_empty() {
                    pieces.push(b"");
                }
                for (place, piece) in pieces.iter().enumerate() {
                    let opcode = u8::from(place == 0);
                    let last = if place + 1 == pieces.len() { 0x80 } else { 0 };
                    bytes.extend(written(last | opcode, piece, *mask));
                }
            }
            let mut tap = Tap::default();
            let (mut rest, mut all) = (&bytes[..], Vec::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, more) = rest.split_at((*cut).min(rest.len()));
                all.extend(tap.see(piece));
                rest = more;
            }
            let expected: Vec<_> = messages.iter().map(|(message, ..)| text(message)).collect();
            prop_assert_eq!(all, expected);
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut tap = Tap::default();
            for piece in bytes.chunks(7) {
                tap.see(piece);
            }
            prop_assert!(tap.buffer.len() <= bytes.len());
        }
    }
}
