//! How deeply a text nests, before a syntax tree is built of it.
//!
//! Why: the parser grows its stack as needed, but a tree is walked and dropped recursively, so a file with
//! 100,000 brackets would end the process. Python itself refuses more than 200 open brackets and
//! 100 indentations; long chains (`a + a + …`) it accepts, we do not beyond [`MAX_CHAIN`].
//! The bound is computed from the tokens and never below the depth of the tree.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::Mode;
use ruff_python_parser::lexer::lex;

use super::lines::Lines;

/// Open brackets at once; Python's own bound.
pub(crate) const MAX_BRACKETS: usize = 200;
/// Indentations at once; Python's own bound is 100.
pub(crate) const MAX_INDENTS: usize = 100;
/// Operators of one expression without a comma between; ours. A walk takes up to 3 kB of stack for each in an
/// unoptimised build, so a thread that walks trees of others needs 4 MiB.
pub(crate) const MAX_CHAIN: usize = 1_000;

/// Says in which line a text nests too deeply, and why that is too deep.
pub(crate) fn too_deep(text: &str, lines: &Lines) -> Option<(u32, String)> {
    let why = reason(text)?;
    // The lexer keeps places to itself: the first line up to which the text is too deep is searched for.
    let (mut low, mut high) = (1, lines.count(text).max(1));
    while low < high {
        let middle = low.midpoint(high);
        let end = lines.start(middle + 1).unwrap_or(text.len());
        match text.get(..end).and_then(reason) {
            Some(_) => high = middle,
            None => low = middle + 1,
        }
    }
    Some((low, why))
}

/// Says why a text nests too deeply.
fn reason(text: &str) -> Option<String> {
    let mut lexer = lex(text, Mode::Module);
    // Of each open bracket: what was counted outside of it. The last two: counted here, lambdas here.
    let mut outer: Vec<(usize, usize)> = Vec::new();
    let (mut chain, mut lambdas, mut indents) = (0_usize, 0_usize, 0_usize);
    let mut below = 0_usize;
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return None,
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::Comment
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::NonLogicalNewline => {}
            TokenKind::Newline => (chain, lambdas) = (0, 0),
            TokenKind::Indent => indents += 1,
            TokenKind::Dedent => indents = indents.saturating_sub(1),
            TokenKind::Comma => chain = lambdas,
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                outer.push((chain, lambdas));
                below += chain + 1;
                (chain, lambdas) = (0, 0);
            }
            TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd => {
                if let Some(opened) = outer.pop() {
                    (chain, lambdas) = opened;
                    below = below.saturating_sub(chain + 1);
                    // `a()()()` nests as deeply as it is long.
                    chain += 1;
                }
            }
            TokenKind::Lambda => {
                lambdas += 1;
                chain += 1;
            }
            _ => chain += 1,
        }
        let why = if outer.len() > MAX_BRACKETS {
            format!("more than {MAX_BRACKETS} brackets open at once")
        } else if indents > MAX_INDENTS {
            format!("indented more than {MAX_INDENTS} times")
        } else if below + chain > MAX_CHAIN {
            format!("an expression of more than {MAX_CHAIN} operators")
        } else {
            continue;
        };
        return Some(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nests_counts() {
        assert_eq!(
            reason(&format!("x = [{}]", "(1, -2), ".repeat(9_000))),
            None
        );
        assert_eq!(reason(&"x = a + b\n".repeat(9_000)), None);
        for deep in [
            "(".repeat(300),
            "x = ".to_owned() + &"-".repeat(3_000) + "1",
            "x = ".to_owned() + &"a + ".repeat(3_000) + "1",
            "x = a".to_owned() + &"()".repeat(3_000),
            "x = ".to_owned() + &"lambda a, b: ".repeat(3_000) + "1",
            "x = ".to_owned() + &"f'{(".repeat(300),
        ] {
            let text = "x = 1\n".repeat(3) + &deep + "\ny = 2\n";
            let found = too_deep(&text, &Lines::of(&text));
            assert_eq!(found.map(|(line, _)| line), Some(4), "{}", &deep[..20]);
        }
    }
}
