//! Files are whole or not there, bounded, and private where they must be.

use std::fs;

use tradewind_host::files::{
    FileError, FileKind, Mode, atomic_write, create_private, ensure_private_dir, file_kind,
    read_bounded, swap, write_private,
};

#[test]
fn a_write_replaces_the_whole_file_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    atomic_write(&path, b"one", Mode::Keep).unwrap();
    atomic_write(&path, b"two", Mode::Keep).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_write_that_cannot_be_done_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/such/folder/f");
    let error = atomic_write(&path, b"x", Mode::Keep).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let error = atomic_write(folder.path(), b"x", Mode::Keep).unwrap_err();
    assert!(
        matches!(
            error,
            FileError::NotAFile {
                found: FileKind::Dir,
                ..
            }
        ),
        "{error}"
    );
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &std::path::Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn rights_are_kept_or_as_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        atomic_write(&path, b"x", Mode::Keep).unwrap();
        assert_eq!(mode(&path), 0o644);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o751)).unwrap();
        atomic_write(&path, b"y", Mode::Keep).unwrap();
        assert_eq!(mode(&path), 0o751);
        write_private(&path, b"z").unwrap();
        assert_eq!(mode(&path), 0o600);
        atomic_write(&path, b"z", Mode::Bits(0o700)).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn a_link_is_neither_followed_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "old").unwrap();
        symlink(&target, &link).unwrap();
        let error = atomic_write(&link, b"new", Mode::Keep).unwrap_err();
        assert!(
            matches!(
                error,
                FileError::NotAFile {
                    found: FileKind::Symlink,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(file_kind(&link).unwrap(), FileKind::Symlink);
        assert_eq!(file_kind(&target.join("below")).unwrap(), FileKind::Missing);
    }

    #[test]
    fn private_folders_are_made_private_and_stay_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        ensure_private_dir(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        ensure_private_dir(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn a_pipe_is_refused_instead_of_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let error = read_bounded(&path, 10).unwrap_err();
        assert!(
            matches!(
                error,
                FileError::NotAFile {
                    found: FileKind::Other,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn reading_stops_at_the_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    fs::write(&path, [0; 100]).unwrap();
    assert_eq!(read_bounded(&path, 100).unwrap().len(), 100);
    assert!(matches!(
        read_bounded(&path, 99),
        Err(FileError::TooLarge { max_bytes: 99, .. })
    ));
    assert!(
        read_bounded(&folder.path().join("none"), 9)
            .unwrap_err()
            .is_not_found()
    );
    assert!(matches!(
        read_bounded(folder.path(), 9),
        Err(FileError::NotAFile { .. })
    ));
}

#[test]
fn of_two_who_create_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let made: Vec<bool> = std::thread::scope(|scope| {
        let path = &path;
        let jobs: Vec<_> = (0..8)
            .map(|n| scope.spawn(move || create_private(path, &[n; 9]).unwrap()))
            .collect();
        jobs.into_iter().map(|job| job.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.len() == 9 && bytes.iter().all(|byte| *byte == bytes[0]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_swap_leaves_the_new_content_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    fs::write(&a, "new").unwrap();
    fs::write(&b, "old").unwrap();
    let is_swapped = swap(&a, &b).unwrap();
    assert_eq!(fs::read(&b).unwrap(), b"new");
    assert_eq!(a.exists(), is_swapped);
    if is_swapped {
        assert_eq!(fs::read(&a).unwrap(), b"old");
    }
    assert!(swap(&folder.path().join("none"), &b).is_err());
}
