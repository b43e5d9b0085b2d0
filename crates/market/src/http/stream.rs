//! An Arrow file on its way while it is written: a million rows need not lie in memory twice.
//!
//! Bound: eight pieces of half a megabyte are under way; a reader that is slow slows the writer, one that goes
//! away ends it. Not here: what the file holds.

use std::io::{Error, ErrorKind, Write};

use axum::body::{Body, Bytes};
use tokio::sync::mpsc;

use crate::format::Table;

/// Bytes of a piece.
const PIECE: usize = 512 * 1024;
/// Pieces under way.
const UNDER_WAY: usize = 8;

/// Collects what is written and hands it on in pieces.
struct Sink {
    piece: Vec<u8>,
    to: mpsc::Sender<Result<Bytes, Error>>,
}

impl Sink {
    fn hand_on(&mut self) -> std::io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let sent = self.to.blocking_send(Ok(piece.into()));
        sent.map_err(|_gone| Error::from(ErrorKind::BrokenPipe))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.hand_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Returns the body of an answer that is written while it is sent.
pub fn arrow(table: impl FnOnce() -> Table + Send + 'static) -> Body {
    let (to, from) = mpsc::channel(UNDER_WAY);
    // Ends by itself: with the file, or when nobody reads any more.
    drop(tokio::task::spawn_blocking(move || {
        let mut sink = Sink {
            piece: Vec::with_capacity(PIECE),
            to,
        };
        if let Err(error) = table().write_arrow(&mut sink) {
            tracing::debug!(%error, "an answer was not written to its end");
            // The reader must not take half a file for a whole one.
            drop(
                sink.to
                    .blocking_send(Err(Error::other("the answer could not be written"))),
            );
            return;
        }
        if let Err(error) = sink.hand_on() {
            tracing::debug!(%error, "nobody reads the end of an answer");
        }
    }));
    Body::from_stream(futures_util::stream::unfold(from, |mut from| async move {
        let piece = from.recv().await?;
        Some((piece, from))
    }))
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Float64Type;
    use arrow_ipc::reader::FileReader;

    use super::*;
    use crate::format::Column;

    #[tokio::test]
    async fn a_file_in_pieces_is_the_whole_file() {
        let values: Vec<f64> = (0..200_000).map(f64::from).collect();
        let expected = values.clone();
        let body = arrow(move || {
            Table::of(values.len())
                .with("provider", Column::Same("made".to_owned()))
                .with("close", Column::Float(values))
        });
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let mut read = Vec::new();
        for batch in FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap() {
            let batch = batch.unwrap();
            let close = batch.column_by_name("close").unwrap();
            read.extend_from_slice(close.as_primitive::<Float64Type>().values());
            let provider = batch.column_by_name("provider").unwrap();
            assert_eq!(
                provider.as_string::<i32>().value(batch.num_rows() - 1),
                "made"
            );
        }
        assert_eq!(read, expected);
    }
}
