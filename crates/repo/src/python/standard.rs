//! The modules of Python's own library, with the versions in which they came and went.
//!
//! Why a table: whether `import imp` works is a fact about the Python that runs it, and no file of the
//! repository says it. Complete for 3.8 to 3.14, with the modules that went on the way from Python 2.
//! Written from Python's own documentation and module list; read as of Python 3.14.
//! Not here: submodules (their parent is enough) and what a module defines.

/// A version of Python: major, minor.
pub type Version = (u8, u8);

/// A module of Python's own library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardModule {
    /// Its name without what follows a dot.
    pub name: &'static str,
    /// The first version that has it; `None` before 3.8.
    pub since: Option<Version>,
    /// The first version that has it no more.
    pub gone_in: Option<Version>,
}

/// Returns the module of Python's own library that `name` is, or is a submodule of.
pub fn standard_module(name: &str) -> Option<StandardModule> {
    let top = name.split('.').next().unwrap_or(name);
    if let Ok(at) = PLAIN.binary_search(&top) {
        return PLAIN.get(at).map(|name| StandardModule {
            name,
            since: None,
            gone_in: None,
        });
    }
    let at = DATED.binary_search_by(|module| module.0.cmp(top)).ok()?;
    DATED.get(at).map(|(name, since, gone_in)| StandardModule {
        name,
        since: *since,
        gone_in: *gone_in,
    })
}

/// Modules that every version from 3.8 to 3.14 has, sorted.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "__future__", "_asyncio", "_collections_abc", "_csv", "_ctypes", "_curses", "_io",
    "_pydatetime", "_socket", "_ssl", "_strptime", "_thread", "_typeshed", "_weakref", "_winapi",
    "abc", "antigravity", "argparse", "array", "ast", "asyncio", "atexit", "base64", "bdb",
    "binascii", "bisect", "builtins", "bz2", "cProfile", "calendar", "cmath", "cmd", "code",
    "codecs", "codeop", "collections", "colorsys", "compileall", "concurrent", "configparser",
    "contextlib", "contextvars", "copy", "copyreg", "csv", "ctypes", "curses", "dataclasses",
    "datetime", "dbm", "decimal", "difflib", "dis", "doctest", "email", "encodings", "ensurepip",
    "enum", "errno", "faulthandler", "fcntl", "filecmp", "fileinput", "fnmatch", "fractions",
    "ftplib", "functools", "gc", "genericpath", "getopt", "getpass", "gettext", "glob", "grp",
    "gzip", "hashlib", "heapq", "hmac", "html", "http", "idlelib", "imaplib", "importlib",
    "inspect", "io", "ipaddress", "itertools", "json", "keyword", "linecache", "locale", "logging",
    "lzma", "mailbox", "marshal", "math", "mimetypes", "mmap", "modulefinder", "msvcrt",
    "multiprocessing", "netrc", "nt", "ntpath", "nturl2path", "numbers", "opcode", "operator",
    "optparse", "os", "pathlib", "pdb", "pickle", "pickletools", "pkgutil", "platform", "plistlib",
    "poplib", "posix", "posixpath", "pprint", "profile", "pstats", "pty", "pwd", "py_compile",
    "pyclbr", "pydoc", "pydoc_data", "pyexpat", "queue", "quopri", "random", "re", "readline",
    "reprlib", "resource", "rlcompleter", "runpy", "sched", "secrets", "select", "selectors",
    "shelve", "shlex", "shutil", "signal", "site", "smtplib", "socket", "socketserver", "sqlite3",
    "sre_compile", "sre_constants", "sre_parse", "ssl", "stat", "statistics", "string",
    "stringprep", "struct", "subprocess", "symtable", "sys", "sysconfig", "syslog", "tabnanny",
    "tarfile", "tempfile", "termios", "textwrap", "this", "threading", "time", "timeit", "tkinter",
    "token", "tokenize", "trace", "traceback", "tracemalloc", "tty", "turtle", "turtledemo",
    "types", "typing", "unicodedata", "unittest", "urllib", "uuid", "venv", "warnings", "wave",
    "weakref", "webbrowser", "winreg", "winsound", "wsgiref", "xml", "xmlrpc", "zipapp", "zipfile",
    "zipimport", "zlib",
];

/// Modules that came or went, sorted: name, first version with it, first version without.
#[rustfmt::skip]
const DATED: &[(&str, Option<Version>, Option<Version>)] = &[
    ("BaseHTTPServer", None, Some((3, 0))),
    ("Bastion", None, Some((3, 0))),
    ("CGIHTTPServer", None, Some((3, 0))),
    ("ConfigParser", None, Some((3, 0))),
    ("Cookie", None, Some((3, 0))),
    ("Dialog", None, Some((3, 0))),
    ("DocXMLRPCServer", None, Some((3, 0))),
    ("FileDialog", None, Some((3, 0))),
    ("HTMLParser", None, Some((3, 0))),
    ("MimeWriter", None, Some((3, 0))),
    ("Queue", None, Some((3, 0))),
    ("ScrolledText", None, Some((3, 0))),
    ("SimpleDialog", None, Some((3, 0))),
    ("SimpleHTTPServer", None, Some((3, 0))),
    ("SimpleXMLRPCServer", None, Some((3, 0))),
    ("SocketServer", None, Some((3, 0))),
    ("StringIO", None, Some((3, 0))),
    ("Tix", None, Some((3, 0))),
    ("Tkconstants", None, Some((3, 0))),
    ("Tkinter", None, Some((3, 0))),
    ("UserDict", None, Some((3, 0))),
    ("UserList", None, Some((3, 0))),
    ("UserString", None, Some((3, 0))),
    ("__builtin__", None, Some((3, 0))),
    ("_dummy_threading", None, Some((3, 9))),
    ("_winreg", None, Some((3, 0))),
    ("aifc", None, Some((3, 13))),
    ("annotationlib", Some((3, 14)), None),
    ("anydbm", None, Some((3, 0))),
    ("asynchat", None, Some((3, 12))),
    ("asyncore", None, Some((3, 12))),
    ("audioop", None, Some((3, 13))),
    ("binhex", None, Some((3, 11))),
    ("cPickle", None, Some((3, 0))),
    ("cStringIO", None, Some((3, 0))),
    ("cgi", None, Some((3, 13))),
    ("cgitb", None, Some((3, 13))),
    ("chunk", None, Some((3, 13))),
    ("compression", Some((3, 14)), None),
    ("cookielib", None, Some((3, 0))),
    ("copy_reg", None, Some((3, 0))),
    ("crypt", None, Some((3, 13))),
    ("dbhash", None, Some((3, 0))),
    ("dircache", None, Some((3, 0))),
    ("distutils", None, Some((3, 12))),
    ("dumbdbm", None, Some((3, 0))),
    ("dummy_thread", None, Some((3, 0))),
    ("dummy_threading", None, Some((3, 9))),
    ("formatter", None, Some((3, 10))),
    ("fpformat", None, Some((3, 0))),
    ("future_builtins", None, Some((3, 0))),
    ("gdbm", None, Some((3, 0))),
    ("graphlib", Some((3, 9)), None),
    ("htmlentitydefs", None, Some((3, 0))),
    ("htmllib", None, Some((3, 0))),
    ("httplib", None, Some((3, 0))),
    ("ihooks", None, Some((3, 0))),
    ("imghdr", None, Some((3, 13))),
    ("imp", None, Some((3, 12))),
    ("imputil", None, Some((3, 0))),
    ("lib2to3", None, Some((3, 13))),
    ("macpath", None, Some((3, 8))),
    ("mailcap", None, Some((3, 13))),
    ("md5", None, Some((3, 0))),
    ("mhlib", None, Some((3, 0))),
    ("mimetools", None, Some((3, 0))),
    ("mimify", None, Some((3, 0))),
    ("msilib", None, Some((3, 13))),
    ("multifile", None, Some((3, 0))),
    ("nis", None, Some((3, 13))),
    ("nntplib", None, Some((3, 13))),
    ("ossaudiodev", None, Some((3, 13))),
    ("parser", None, Some((3, 10))),
    ("pipes", None, Some((3, 13))),
    ("popen2", None, Some((3, 0))),
    ("posixfile", None, Some((3, 0))),
    ("rfc822", None, Some((3, 0))),
    ("robotparser", None, Some((3, 0))),
    ("sgmllib", None, Some((3, 0))),
    ("sha", None, Some((3, 0))),
    ("smtpd", None, Some((3, 12))),
    ("sndhdr", None, Some((3, 13))),
    ("spwd", None, Some((3, 13))),
    ("sunau", None, Some((3, 13))),
    ("symbol", None, Some((3, 10))),
    ("telnetlib", None, Some((3, 13))),
    ("thread", None, Some((3, 0))),
    ("tkColorChooser", None, Some((3, 0))),
    ("tkCommonDialog", None, Some((3, 0))),
    ("tkFileDialog", None, Some((3, 0))),
    ("tkFont", None, Some((3, 0))),
    ("tkMessageBox", None, Some((3, 0))),
    ("tkSimpleDialog", None, Some((3, 0))),
    ("tomllib", Some((3, 11)), None),
    ("ttk", None, Some((3, 0))),
    ("urllib2", None, Some((3, 0))),
    ("urlparse", None, Some((3, 0))),
    ("uu", None, Some((3, 13))),
    ("whichdb", None, Some((3, 0))),
    ("xdrlib", None, Some((3, 13))),
    ("xmlrpclib", None, Some((3, 0))),
    ("zoneinfo", Some((3, 9)), None),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_so_that_the_search_finds_every_row() {
        assert!(PLAIN.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(DATED.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn modules_know_when_they_came_and_went() {
        assert_eq!(standard_module("os.path").unwrap().gone_in, None);
        assert_eq!(
            standard_module("distutils.core").unwrap().gone_in,
            Some((3, 12))
        );
        assert_eq!(standard_module("urllib2").unwrap().gone_in, Some((3, 0)));
        assert_eq!(standard_module("tomllib").unwrap().since, Some((3, 11)));
        assert_eq!(standard_module("requests"), None);
    }
}
