//! A change with nothing around it, during a merge: what checks of one file need.

use tradewind_delivery::builtin::Surroundings;
use tradewind_delivery::precommit::{Config, Settled, Tags};
use tradewind_delivery::staged::Mode;

pub(crate) struct Nothing;

impl Surroundings for Nothing {
    fn tracked(&self) -> &[Box<[u8]>] {
        &[]
    }
    fn content(&self, _path: &[u8]) -> Option<(Mode, Vec<u8>)> {
        None
    }
    fn before(&self, _path: &[u8]) -> Option<(Mode, Vec<u8>)> {
        None
    }
    fn mode(&self, _path: &[u8]) -> Option<Mode> {
        None
    }
    fn tags(&self, _path: &[u8]) -> Option<Tags> {
        None
    }
    fn added(&self) -> &[Box<[u8]>] {
        &[]
    }
    fn exists(&self, _path: &[u8]) -> bool {
        false
    }
    fn is_lfs(&self, _path: &[u8]) -> bool {
        false
    }
    fn branch(&self) -> Option<String> {
        None
    }
    fn is_merging(&self) -> bool {
        true
    }
    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
    fn machine_file(&self, _path: &str) -> Option<Vec<u8>> {
        None
    }
    fn config(&self) -> Option<&Config> {
        None
    }
    fn hooks(&self) -> &[Settled] {
        &[]
    }
}
