//! Packs: many objects in one file, found by the sorted names of its index (version 2).

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use flate2::{Decompress, FlushDecompress, Status};

use super::{Kind, Object, ObjectError, delta};
use crate::oid::Oid;

/// Deltas upon deltas; git makes at most 4095.
const MAX_CHAIN: usize = 4096;
/// Length of the fixed part of a pack's index, and of its first table.
const HEADER: usize = 8;
const FANOUT: usize = 256 * 4;
/// Where the names begin.
const NAMES: u64 = 8 + 256 * 4;
/// Bytes read at once.
const CHUNK: usize = 16 * 1024;

/// One pack with its index.
#[derive(Debug)]
pub(super) struct Pack {
    index: File,
    data: File,
    written: Option<SystemTime>,
    /// How many names begin with a byte up to each.
    fanout: Vec<u32>,
    hash: usize,
}

/// Opens the packs of a folder. One that cannot be read or has another form is left out; its objects are absent then.
pub(super) fn of(dir: &Path, is_sha256: bool) -> Vec<Pack> {
    let Ok(files) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    let indexes = paths.filter(|path| path.extension().is_some_and(|end| end == "idx"));
    indexes
        .filter_map(|index| Pack::open(&index, is_sha256).ok())
        .collect()
}

enum Told {
    Whole(Kind),
    ByPlace(u64),
    ByName(Oid),
}

impl Pack {
    fn open(path: &Path, is_sha256: bool) -> io::Result<Self> {
        let index = File::open(path)?;
        let data = File::open(path.with_extension("pack"))?;
        let mut head = [0; HEADER + FANOUT];
        read_exact_at(&index, &mut head, 0)?;
        let (magic, table) = head.split_at(HEADER);
        if magic != b"\xfftOc\x00\x00\x00\x02" {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let fanout: Vec<u32> = table.chunks_exact(4).map(big_endian).collect();
        if !fanout.is_sorted() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Self {
            written: data.metadata()?.modified().ok(),
            index,
            data,
            fanout,
            hash: if is_sha256 { 32 } else { 20 },
        })
    }

    pub(super) fn written(&self) -> Option<SystemTime> {
        self.written
    }

    /// Returns where an object begins.
    pub(super) fn find(&self, id: Oid) -> Result<Option<u64>, ObjectError> {
        self.place(id)
            .map_err(|source| ObjectError::Io { id, source })
    }

    fn place(&self, id: Oid) -> io::Result<Option<u64>> {
        let name = id.as_slice();
        if name.len() != self.hash {
            return Ok(None);
        }
        let first = usize::from(name.first().copied().unwrap_or_default());
        let at = |place: usize| u64::from(self.fanout.get(place).copied().unwrap_or_default());
        let low = first.checked_sub(1).map_or(0, at);
        let (high, count) = (at(first), at(255));
        let mut names = vec![0; usize::try_from(high - low).unwrap_or_default() * self.hash];
        read_exact_at(&self.index, &mut names, NAMES + low * self.hash as u64)?;
        let names: Vec<&[u8]> = names.chunks_exact(name.len()).collect();
        let Ok(found) = names.binary_search(&name) else {
            return Ok(None);
        };
        let found = low + found as u64;
        // Names, then a checksum of four bytes for each, then where each begins.
        let offsets = NAMES + count * (self.hash as u64 + 4);
        let mut word = [0; 4];
        read_exact_at(&self.index, &mut word, offsets + found * 4)?;
        let offset = big_endian(&word);
        if offset & 0x8000_0000 == 0 {
            return Ok(Some(u64::from(offset)));
        }
        let mut long = [0; 8];
        let place = u64::from(offset & 0x7fff_ffff);
        read_exact_at(&self.index, &mut long, offsets + count * 4 + place * 8)?;
        Ok(Some(u64::from_be_bytes(long)))
    }

    /// Reads the object that begins at a place, with what it is a delta of.
    pub(super) fn read(&self, id: Oid, at: u64, max_bytes: u64) -> Result<Object, ObjectError> {
        let damaged = |what| ObjectError::Damaged { id, what };
        let mut deltas: Vec<Vec<u8>> = Vec::new();
        let mut at = at;
        let mut base = loop {
            let (told, size, from) = self
                .header(at)
                .map_err(|source| ObjectError::Io { id, source })?
                .ok_or_else(|| damaged("its header is none"))?;
            if size > max_bytes {
                return Err(ObjectError::TooLong { id, size });
            }
            let bytes = self
                .inflate(from, size)
                .map_err(|source| ObjectError::Io { id, source })?;
            match told {
                Told::Whole(kind) => break Object { kind, bytes },
                Told::ByPlace(back) => {
                    deltas.push(bytes);
                    at = at
                        .checked_sub(back)
                        .filter(|_| back > 0)
                        .ok_or_else(|| damaged("its base lies before the pack"))?;
                }
                Told::ByName(name) => {
                    deltas.push(bytes);
                    // A pack that git keeps holds the bases of all its deltas.
                    at = self
                        .find(name)?
                        .ok_or_else(|| damaged("its base is not in its pack"))?;
                }
            }
            if deltas.len() > MAX_CHAIN {
                return Err(damaged("its deltas do not end"));
            }
        };
        while let Some(next) = deltas.pop() {
            if let Some(size) = delta::target_size(&next)
                && size > max_bytes
            {
                return Err(ObjectError::TooLong { id, size });
            }
            base.bytes = delta::apply(&base.bytes, &next, max_bytes)
                .ok_or_else(|| damaged("a delta does not fit its base"))?;
        }
        Ok(base)
    }

    /// Reads what is at a place: how it is told, its length and where its compressed bytes begin.
    fn header(&self, at: u64) -> io::Result<Option<(Told, u64, u64)>> {
        // Ten bytes of length, and a name or a distance.
        let mut buffer = [0; 64];
        let read = read_at_most(&self.data, &mut buffer, at)?;
        Ok(
            parse_header(buffer.get(..read).unwrap_or_default(), self.hash)
                .map(|(told, size, len)| (told, size, at + len as u64)),
        )
    }

    fn inflate(&self, from: u64, size: u64) -> io::Result<Vec<u8>> {
        let size = usize::try_from(size)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        // One byte more, so that a longer one is noticed and a stream of nothing has room to end.
        let mut bytes = Vec::with_capacity(size + 1);
        let mut stream = Decompress::new(true);
        let mut chunk = vec![0; CHUNK.min(size + 64)];
        let mut at = from;
        loop {
            let read = read_at_most(&self.data, &mut chunk, at)?;
            let piece = chunk.get(..read).unwrap_or_default();
            let before = stream.total_in();
            let status = stream.decompress_vec(piece, &mut bytes, FlushDecompress::None)?;
            at += stream.total_in() - before;
            match status {
                Status::StreamEnd if bytes.len() == size => return Ok(bytes),
                Status::Ok if read > 0 && bytes.len() <= size && stream.total_in() > before => {}
                Status::StreamEnd | Status::Ok | Status::BufError => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
    }
}

fn parse_header(bytes: &[u8], hash: usize) -> Option<(Told, u64, usize)> {
    let mut at = 0;
    let mut next = || {
        let byte = bytes.get(at).copied();
        at += 1;
        byte
    };
    let first = next()?;
    let mut size = u64::from(first & 0x0f);
    let mut shift = 4;
    let mut byte = first;
    while byte & 0x80 != 0 {
        byte = next()?;
        if shift > 56 {
            return None;
        }
        size |= u64::from(byte & 0x7f) << shift;
        shift += 7;
    }
    let told = match first >> 4 & 7 {
        1 => Told::Whole(Kind::Commit),
        2 => Told::Whole(Kind::Tree),
        3 => Told::Whole(Kind::Blob),
        4 => Told::Whole(Kind::Tag),
        6 => {
            let mut byte = next()?;
            let mut back = u64::from(byte & 0x7f);
            while byte & 0x80 != 0 {
                byte = next()?;
                back = (back.checked_add(1)?).checked_mul(128)? | u64::from(byte & 0x7f);
            }
            Told::ByPlace(back)
        }
        7 => {
            let name = Oid::from_slice(bytes.get(at..at + hash)?)?;
            at += hash;
            Told::ByName(name)
        }
        _ => return None,
    };
    Some((told, size, at))
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte))
}

fn read_exact_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    if read_at_most(file, buffer, at)? == buffer.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Reads at a place without moving the file's own, so that threads may share it. Returns less only at its end.
fn read_at_most(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match read_at(file, rest, at + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}
