//! What the checks are tried on: fragments that matter to each, good files to break, and every argument.

use tradewind_delivery::staged::Mode;

use super::seed::Seed;

/// What one check is tried on.
pub(crate) struct Set {
    pub(crate) id: &'static str,
    pub(crate) args: &'static [&'static [&'static str]],
    pub(crate) paths: &'static [&'static str],
    fragments: &'static [&'static str],
    good: &'static [&'static str],
    /// Whether bytes that are no UTF-8 and huge lines are put in too.
    is_bytes: bool,
}

impl Set {
    /// Says whether its files are Python.
    pub(crate) fn is_python(&self) -> bool {
        self.paths == ["a.py"]
    }

    /// Says whether a file is one of those that are known and documented to differ.
    pub(crate) fn differs(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        let odd = [
            '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}',
        ];
        match self.id {
            // From Python 3.12 on `tokenize` refuses null bytes; before, it does not.
            "check-docstring-first" => text.contains('\0'),
            // The script counts lines in two ways.
            "double-quote-string-fixer" => {
                text.contains('\0') || text.replace("\r\n", "").contains(odd)
            }
            // In comments they pass in some versions.
            "check-ast" | "check-builtin-literals" | "debug-statements" => {
                text.contains('\u{fffd}')
            }
            // TOML 1.1 has times without seconds.
            "check-toml" => has_short_time(&text),
            "check-yaml" => {
                text.lines().skip(1).any(|line| line.contains('%'))
                    || text.contains("'#")
                    || text.contains("\"#")
            }
            _ => false,
        }
    }

    /// Makes a file: every third of fragments alone, the others good files, more or less broken.
    pub(crate) fn file(&self, seed: &mut Seed, number: usize) -> Vec<u8> {
        if let Some(good) = self.good.get(number) {
            return good.as_bytes().to_vec();
        }
        let mut bytes = if number.is_multiple_of(3) || self.good.is_empty() {
            seed.join(self.fragments, 12)
        } else {
            let good = seed.of_list(self.good);
            seed.broken(good, self.fragments)
        };
        if self.is_bytes {
            match seed.below(20) {
                0 => bytes.insert(seed.below(bytes.len() + 1), 0xff),
                1 => bytes.insert(seed.below(bytes.len() + 1), 0),
                2 => bytes.extend(std::iter::repeat_n(b'x', 70_000)),
                3 => bytes.splice(..0, *b"\xef\xbb\xbf").for_each(drop),
                4 => bytes.retain(|byte| *byte != b'\n'),
                _ => {}
            }
        }
        bytes
    }
}

fn has_short_time(text: &str) -> bool {
    text.match_indices(':').any(|(at, _)| {
        let minute = text.get(at + 1..at + 3).unwrap_or_default();
        minute.bytes().all(|byte| byte.is_ascii_digit())
            && !text[..at].ends_with(':')
            && text.as_bytes().get(at + 3) != Some(&b':')
    })
}

const LINES: &[&str] = &[
    "a", "b c", " ", "  ", "\t", "\n", "\n\n", "\r\n", "\r", "\x0c", "\x0b", "é", "\u{a0}",
    "x  \n", "# c\n", "\x1c", "\x08",
];
const PLAIN: Set = Set {
    id: "",
    args: &[&[]],
    paths: &["a.txt"],
    fragments: LINES,
    good: &[],
    is_bytes: true,
};

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"a\"",
    "\"b\"",
    "\"\\u0061\"",
    "1",
    "-0",
    "1.50",
    "1e5",
    "1E400",
    "true",
    "null",
    "NaN",
    "-Infinity",
    " ",
    "\n",
    "\r\n",
    "\t",
    "\"é\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud800\"",
    "\"\\n\"",
    "'",
    "0",
    "\u{feff}",
    "\"\u{7f}\"",
    "12345678901234567890123",
    "0.00001",
    "123456789.123456789",
    "1e22",
    "//",
];
const GOOD_JSON: &[&str] = &[
    "{\n  \"a\": 1,\n  \"b\": [\n    1.0,\n    \"x\"\n  ]\n}\n",
    "{\"b\": {\"z\": null, \"a\": true}, \"a\": [], \"c\": {}, \"é\": \"ü\"}",
    "[1, 2.5e-7, -0.0, {\"x\": [[[]]]}, \"\\u00e9\\/\"]\r\n",
    "{\"a\": 1, \"a\": 2, \"b\": \"1\", \"b\": \"0\"}",
    "\"text\"\n",
];
const YAML: &[&str] = &[
    "a",
    "b: ",
    "a: 1",
    "\n",
    "\n  ",
    "\n- ",
    "- ",
    "? ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "'x'",
    "\"y\"",
    "&a ",
    "*a",
    "!!str ",
    "!x ",
    "!!int ",
    "|\n  t\n",
    ">\n  f\n",
    "# c\n",
    "\n---\n",
    "\n...\n",
    "<<: ",
    "~",
    "true",
    "1",
    "01",
    "1.0",
    "0x10",
    "2024-01-01",
    "2024-02-31",
    "%YAML 1.2\n---\n",
    "=",
    "@",
    "\u{e9}",
    "  ",
    "\"\\x41\"",
    "'it''s'",
    "null",
    ".nan",
    "1e3",
    "!!map ",
    "!!seq ",
    "-1",
];
const GOOD_YAML: &[&str] = &[
    "name: ci\non:\n  push:\n    branches: [main, 'x']\njobs:\n  a:\n    steps:\n    - uses: x@v1\n      with: {a: 1, b: \"2\"}\n    - run: |\n        one\n        two\n",
    "x: &x\n  a: 1\n  b: [1, 2]\ny:\n  <<: *x\n  a: 2\nz: *x\n",
    "- a\n- b: c\n  d: >-\n    text\n    more\n- - 1\n  - 2\n- {x: y}\n",
    "# comment\n---\nkey: value # c\nother: 'it''s'\n\"quoted key\": \"a\\tb\"\n? complex\n: value\n",
    "list:\n- 1\n- 2.5\n- true\n- ~\n- 2024-01-01\n- 0x1F\n",
];
const TOML: &[&str] = &[
    "a = 1\n",
    "a",
    "b",
    " = ",
    "1",
    "'x'",
    "\"y\"",
    "\"\"\"m\n\"\"\"",
    "'''l'''",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ", ",
    ".",
    "\n",
    "\r\n",
    "# c\n",
    "1979-05-27T07:32:00Z",
    "1979-02-30",
    "07:32:00",
    "inf",
    "nan",
    "0x1f",
    "1_000",
    "1__0",
    "01",
    "+1",
    "1e5",
    "1.",
    "true",
    "\"\\u00e9\"",
    "\"\\q\"",
    "é",
    "\t",
    "99999999999999999999",
    "\r",
];
const GOOD_TOML: &[&str] = &[
    "[project]\nname = \"x\"\nversion = '1'\ndeps = [\n  \"a>=1\",\n  \"b\",\n]\n\n[tool.x]\ny = { z = 1, w.v = 2 }\n\n[[a.b]]\nc = 1\n[[a.b]]\nc = 2.5\n",
    "a.b.c = 1\na.d = 1979-05-27 07:32:00.5\n\"quoted key\" = true\n[t]\n",
    "x = \"\"\"\nline \\\n   more\n\"\"\"\ny = [[1, 2], ['a']]\n",
];
const XML: &[&str] = &[
    "<a>",
    "</a>",
    "<b",
    ">",
    "/>",
    " c='1'",
    " d=\"x\"",
    "&amp;",
    "&e;",
    "&#65;",
    "&#x0;",
    "text",
    "<!-- c -->",
    "<!--",
    "-->",
    "<![CDATA[x]]>",
    "]]>",
    "<?pi x?>",
    "<?xml version=\"1.0\"?>",
    "<",
    "&",
    "\n",
    " ",
    "é",
    "<x:y/>",
    "<!DOCTYPE a>",
    "--",
    "'",
];
const GOOD_XML: &[&str] = &[
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- top -->\n<a b='1' c=\"2\">\n  <d/>text &lt; &#233;<e></e>\n  <![CDATA[ <x> ]]>\n</a>\n",
    "<!DOCTYPE html PUBLIC \"x\" \"y\">\n<html><p>&nbsp;</p></html>",
    "<!DOCTYPE a [\n<!ENTITY e \"x\">\n]>\n<a>&e;</a>",
    "<x:a xmlns:x='u' x:b='1'><?pi data?></x:a>\n",
];
const PYTHON: &[&str] = &[
    "x = 1\n",
    "import pdb\n",
    "from ipdb import x\n",
    "breakpoint()\n",
    "list()",
    "dict(a=1)",
    "x = dict()\n",
    "f(list())\n",
    "    y\n",
    "def f():\n",
    "    return 1\n",
    "\n",
    "\"doc\"\n",
    "'''doc'''\n",
    "\"a\"",
    "'b'",
    "r\"c\"",
    "\"it's\"",
    "# c\n",
    "(",
    ")",
    "[",
    "]",
    "\"",
    "\\\n",
    "if x:\n",
    "\tz\n",
    "\r\n",
    "é = 'ü'\n",
    "class A:\n",
    "    pass\n",
    "lambda: 0",
    ":",
    ",",
    "@d\n",
    "print x\n",
    "await y\n",
    "x: int = int()\n",
    "async def g(): pass\n",
    "b\"d\"",
    "\"\"\"e\n\"\"\"",
    "\\",
    "yield\n",
    "u\"f\"\n",
    "1_0",
    "0777\n",
    "x := 1\n",
    "match x:\n",
    "    case 1: pass\n",
];
const GOOD_PYTHON: &[&str] = &[
    "#!/usr/bin/env python3\n\"\"\"Doc.\"\"\"\nimport os\n\n\ndef f(a, *, b=\"x\"):\n    \"\"\"Inner.\"\"\"\n    return {\"k\": 'v', 'l': [1, 2]}\n\n\nclass C(object):\n    x = \"it's\"\n    y = r\"raw\" \"two\"\n",
    "import pdb, sys\nfrom a import b\nx = list()\ny = [int(), str(1), dict(a=1), dict({}), tuple()]\nfor i in x:\n    breakpoint()\n",
    "x = (\n    \"a\"\n    'b'\n)\n# comment \"q\"\ny = \"\\\"\" + \"\\\\\"\nz = \"\"\"long\n'text'\"\"\"\n",
    "async def f():\n    async with a as b, c:\n        await d\n    return [i async for i in e]\nwith open(\"x\") as g:\n    pass\n",
];
const REQUIREMENTS: &[&str] = &[
    "a\n",
    "B==1\n",
    "b>=2 ; x\n",
    "# c\n",
    "\n",
    "  # d\n",
    "-e git+x#egg=Zed\n",
    "pkg-resources==0.0.0\n",
    "c \\\n",
    "    --hash=1\n",
    "a==1\n",
    "d",
    "\r\n",
    "  \n",
    "b[x]~=1\n",
    "-r x.txt\n",
    "git+y&egg=q\n",
    ";x\n",
    "a!=2\n",
    " e\n",
    "a ==1\n",
];
const SIMPLE: &[&str] = &[
    "# c\n",
    "a: 1\n",
    "b: 2\n",
    "'c': 3\n",
    "\"b\": 4\n",
    "\n",
    "\n\n",
    "  x: y\n",
    "z",
    " ",
    "\r\n",
    "\u{a0}\n",
    "# d",
    "\r",
    "\x0c\n",
    "\u{2028}",
];

/// Every check of files whose answer depends on nothing else.
pub(crate) const SETS: &[Set] = &[
    Set {
        id: "trailing-whitespace",
        args: &[
            &[],
            &["--markdown-linebreak-ext=md"],
            &["--markdown-linebreak-ext", "*"],
            &["--chars", " \tx"],
            &["--chars=é"],
            &["--no-markdown-linebreak-ext"],
        ],
        paths: &["a.txt", "b.md", "c.MD", "d/e.", "d/.md", "x.y.md"],
        ..PLAIN
    },
    Set {
        id: "end-of-file-fixer",
        ..PLAIN
    },
    Set {
        id: "mixed-line-ending",
        args: &[
            &[],
            &["--fix=no"],
            &["--fix", "lf"],
            &["-f", "crlf"],
            &["--fix=cr"],
            &["-fauto"],
        ],
        ..PLAIN
    },
    Set {
        id: "fix-byte-order-marker",
        ..PLAIN
    },
    Set {
        id: "file-contents-sorter",
        args: &[&[], &["--ignore-case"], &["--unique"]],
        fragments: &[
            "b\n", "a\n", "B\n", "é\n", " a\n", "\n", "a\r\n", "a\r", "c", "\x0c\n", "A\r\r\n",
        ],
        ..PLAIN
    },
    Set {
        id: "detect-private-key",
        fragments: &[
            "BEGIN RSA PRIVATE KEY",
            "BEGIN ",
            "BEGIN PRIVATE KEY",
            "PuTTY-User-Key-File-2",
            "-----",
            "\n",
            "BEGIN PUBLIC KEY",
            "BEGIN OpenVPN Static key V1",
            "begin",
            "PGP PRIVATE KEY BLOCK",
        ],
        ..PLAIN
    },
    Set {
        id: "check-merge-conflict",
        args: &[&["--assume-in-merge"]],
        fragments: &[
            "<<<<<<< ", "=======", "======= ", ">>>>>>> ", "\n", "\r\n", "\r", "x", "<<<<<<<",
            "||||||| ",
        ],
        ..PLAIN
    },
    Set {
        id: "check-vcs-permalinks",
        args: &[
            &[],
            &["--additional-github-domain", "git.x.y"],
            &["--additional-github-domain=(a|b).z"],
        ],
        fragments: &[
            "https://github.com/a/b/blob/",
            "https://git.x.y/a/b/blob/",
            "https://b.z/a/b/blob/",
            "main",
            "/f.py",
            "#L1",
            "#L",
            "0123abcd",
            "v1.0",
            " ",
            "\n",
            "https://github.com/",
            "/blob/",
            "é",
        ],
        ..PLAIN
    },
    Set {
        id: "name-tests-test",
        args: &[
            &[],
            &["--pytest"],
            &["--pytest-test-first"],
            &["--django"],
            &["--unittest"],
        ],
        paths: &[
            "tests/a_test.py",
            "tests/test_a.py",
            "tests/conftest.py",
            "tests/__init__.py",
            "tests/tests.py",
            "tests/a.py",
            "tests/_test.py",
            "tests/test_.py",
            "tests/x/a_test.pyc",
        ],
        ..PLAIN
    },
    Set {
        id: "check-json",
        paths: &["a.json"],
        fragments: JSON,
        good: GOOD_JSON,
        ..PLAIN
    },
    Set {
        id: "pretty-format-json",
        args: &[
            &[],
            &["--autofix"],
            &["--autofix", "--indent=4"],
            &["--autofix", "--indent", "\t"],
            &["--autofix", "--no-sort-keys"],
            &["--autofix", "--top-keys=c,a"],
            &["--autofix", "--indent=-1"],
        ],
        paths: &["a.json"],
        fragments: JSON,
        good: GOOD_JSON,
        ..PLAIN
    },
    Set {
        id: "pretty-format-json",
        // Half a surrogate pair differs here: nothing is written.
        args: &[&["--autofix", "--no-ensure-ascii"]],
        paths: &["a.json"],
        fragments: &[
            "{",
            "}",
            "\"a\"",
            ":",
            ",",
            "\"é\"",
            "\"\\u00e9\"",
            "\"\\ud83d\\ude00\"",
            "[",
            "]",
            "1",
        ],
        good: GOOD_JSON,
        ..PLAIN
    },
    Set {
        id: "check-yaml",
        args: &[&[], &["--multi"], &["--unsafe"], &["-m", "--unsafe"]],
        paths: &["a.yaml"],
        fragments: YAML,
        good: GOOD_YAML,
        ..PLAIN
    },
    Set {
        id: "check-toml",
        paths: &["a.toml"],
        fragments: TOML,
        good: GOOD_TOML,
        ..PLAIN
    },
    Set {
        id: "check-xml",
        paths: &["a.xml"],
        fragments: XML,
        good: GOOD_XML,
        ..PLAIN
    },
    Set {
        id: "check-ast",
        paths: &["a.py"],
        fragments: PYTHON,
        good: GOOD_PYTHON,
        ..PLAIN
    },
    Set {
        id: "check-builtin-literals",
        args: &[
            &[],
            &["--ignore=list,int"],
            &["--no-allow-dict-kwargs"],
            &["--allow-dict-kwargs"],
        ],
        paths: &["a.py"],
        fragments: PYTHON,
        good: GOOD_PYTHON,
        ..PLAIN
    },
    Set {
        id: "debug-statements",
        paths: &["a.py"],
        fragments: PYTHON,
        good: GOOD_PYTHON,
        ..PLAIN
    },
    Set {
        id: "check-docstring-first",
        paths: &["a.py"],
        fragments: PYTHON,
        good: GOOD_PYTHON,
        ..PLAIN
    },
    Set {
        id: "double-quote-string-fixer",
        paths: &["a.py"],
        fragments: PYTHON,
        good: GOOD_PYTHON,
        ..PLAIN
    },
    Set {
        id: "requirements-txt-fixer",
        fragments: REQUIREMENTS,
        good: &[
            "# top\n\nflask==1\n# why\nDjango>=2 ; python_version < '3'\nrequests[x]~=1\n\n# end\n",
            "a\n\nb\n",
            "b \\\n  --hash=x \\\n  --hash=y\na\n",
        ],
        ..PLAIN
    },
    Set {
        id: "sort-simple-yaml",
        fragments: SIMPLE,
        good: &["# header\n\nb: 1\nc: 2\n\n# of a\na: 3\n", "a: 1\n\nb: 2\n"],
        ..PLAIN
    },
];

/// A path, a mode and a content to ask file types of.
pub(crate) fn typed(seed: &mut Seed, number: usize) -> (String, Mode, Vec<u8>) {
    const NAMES: &[&str] = &[
        "Dockerfile",
        "makefile",
        ".bashrc",
        "README",
        "setup.cfg",
        "a",
        "x.tar",
        "CMakeLists.txt",
        ".prettierignore",
        "pom.xml",
        "LICENSE",
        ".a",
        "Pipfile.lock",
        "BUILD",
        "rebar",
        "..x",
        "x.",
    ];
    const SHEBANGS: &[&str] = &[
        "#!/bin/sh\n",
        "#!/usr/bin/env python3.12\n",
        "#!/usr/bin/env -S bash -e\n",
        "#! /usr/bin/env nix-shell\n#! nix-shell -i ruby\n#! -i zsh\n",
        "#!/usr/bin/env nix-shell\n#! nix-shell -i bash -p x\n",
        "#!\"/x y/node\" -a\n",
        "#!/x/pypy'\n",
        "#!/bin/é\n",
        "#!/bin/sh\x00\n",
        "#!",
        "#!\n",
        "#!/usr/bin/env\n",
        "#!python2.7.1\r\n",
        "text\n",
        "\x00\x01",
        "",
        "\x1b[0m",
        "#!/usr/bin/env -S\n",
        "#!\x0cperl\n",
        "#!/bin/sh \\\n",
    ];
    // First every tag as an extension (many are), then names and extensions put together.
    let tags = tradewind_delivery::precommit::identify::all();
    let extension = tags[if number < tags.len() {
        number
    } else {
        seed.below(tags.len())
    }];
    let path = match seed.below(6) {
        0 => seed.of_list(NAMES).to_owned(),
        1 => format!(
            "{}.{}",
            seed.of_list(NAMES),
            seed.of_list(&["py", "PNG", "plist", "Xenial", "txt", "cfg", "so", "é"])
        ),
        2 => format!("a.{}", extension.to_uppercase()),
        3 => format!("e/{extension}"),
        _ => format!("d/x.{extension}"),
    };
    let mode = if seed.below(2) == 0 {
        Mode::Regular
    } else {
        Mode::Executable
    };
    (path, mode, seed.of_list(SHEBANGS).as_bytes().to_vec())
}

/// A pattern and a path.
pub(crate) fn pattern(seed: &mut Seed) -> (String, String) {
    const PIECES: &[&str] = &[
        "a", "b", "/", ".", r"\.", "*", "+", "?", "^", "$", "|", "(", ")", "(?:", "(?!", "(?=",
        "(?<!a", "[ab]", "[^/]", r"[\w-]", "{2}", "{,2}", "{a}", r"\d", r"\Z", r"\b", "py",
        "(?P<n>a)", "(?P=n)", "#", " ", r"[]a]", r"[[a]", r"\-", r"\/", "-", ".*", r"\s",
    ];
    let mut pattern = String::from_utf8(seed.join(PIECES, 8)).unwrap();
    match seed.below(8) {
        0 => pattern.insert_str(0, "(?x)"),
        1 => pattern.insert_str(0, "(?i)"),
        _ => {}
    }
    let path = seed.join(
        &[
            "a", "b", "/", ".py", "A", "-", "1", "{a}", "[", "x", "#", " ",
        ],
        8,
    );
    (pattern, String::from_utf8(path).unwrap())
}
