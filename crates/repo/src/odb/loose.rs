//! Loose objects: one compressed file each.

use std::io::Read as _;
use std::path::Path;

use flate2::read::ZlibDecoder;

use super::{Kind, Object, ObjectError};
use crate::oid::Oid;

/// The longest header: a kind, a length of 20 digits, a blank and the end.
const MAX_HEADER: usize = 32;

/// Reads `<kind> <length>\0<content>`; `None` when there is no such file.
pub(super) fn read(dir: &Path, id: Oid, max_bytes: u64) -> Result<Option<Object>, ObjectError> {
    let hex = id.to_string();
    let (folder, rest) = hex.split_at(2);
    let compressed = match std::fs::read(dir.join(folder).join(rest)) {
        Ok(compressed) => compressed,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(source) => return Err(ObjectError::Io { id, source }),
    };
    let damaged = |what| ObjectError::Damaged { id, what };
    let mut content = ZlibDecoder::new(compressed.as_slice());
    let mut header = Vec::with_capacity(MAX_HEADER);
    let mut byte = [0];
    loop {
        if content.read_exact(&mut byte).is_err() {
            return Err(damaged("it has no header"));
        }
        if byte == [0] {
            break;
        }
        header.extend_from_slice(&byte);
        if header.len() > MAX_HEADER {
            return Err(damaged("its header does not end"));
        }
    }
    let (kind, size) = header_of(&header).ok_or_else(|| damaged("its header is none"))?;
    if size > max_bytes {
        return Err(ObjectError::TooLong { id, size });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    // One more than it may be, so that a longer one is noticed.
    let read = content.take(size + 1).read_to_end(&mut bytes);
    match read {
        Ok(read) if read as u64 == size => Ok(Some(Object { kind, bytes })),
        Ok(_) => Err(damaged("its length is another than its header says")),
        Err(_) => Err(damaged("it does not decompress")),
    }
}

fn header_of(header: &[u8]) -> Option<(Kind, u64)> {
    let (kind, size) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    let kind = match kind {
        "blob" => Kind::Blob,
        "tree" => Kind::Tree,
        "commit" => Kind::Commit,
        "tag" => Kind::Tag,
        _ => return None,
    };
    Some((kind, size.parse().ok()?))
}
