//! What READMEs link to and tell to type.

use tradewind_repo::documents::{PageKind, PathHow, What};
use tradewind_repo::project::commands::mentions;
use tradewind_repo::project::image::quoted;
use tradewind_repo::project::presence::Presence;
use tradewind_repo::project::requirement::join;
use tradewind_repo::project::shell::Origin;

use super::jobs::blame;
use super::{Found, How, Worlds};

/// Finds the links and commands of READMEs that the commit breaks.
pub(super) fn find(worlds: &Worlds, found: &mut Found) {
    let roots = worlds.project.roots();
    for page in &worlds.documents.pages {
        let is_read = matches!(
            page.kind,
            PageKind::Readme | PageKind::FolderReadme | PageKind::Contributing
        );
        if !is_read || worlds.without.get(&page.path).is_none() {
            continue;
        }
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for claim in &page.claims {
            match &claim.what {
                What::Path {
                    path,
                    how: PathHow::Link | PathHow::Image,
                } => {
                    let base = if path.starts_with('/') { "" } else { folder };
                    let Some(to) =
                        join(base, path.trim_start_matches('/')).filter(|to| !to.is_empty())
                    else {
                        continue;
                    };
                    if worlds.has_lost(&to) {
                        found.add(worlds, &to, &page.path, claim.line, How::Links);
                    }
                }
                What::Command(command) => {
                    let Some(typed_in) = &command.folder else {
                        continue;
                    };
                    let origin = Origin {
                        line: claim.line,
                        directory: Some(typed_in),
                        own_names: &[],
                    };
                    for mention in mentions(&quoted(&command.words), origin) {
                        // The README of a folder speaks of the root or of itself.
                        let is_beside = join(folder, &mention.written)
                            .is_some_and(|beside| worlds.without.has(&beside));
                        if mention.presence(&worlds.with, &roots) == Presence::Here
                            && mention.presence(&worlds.without, &roots) != Presence::Here
                            && !is_beside
                            && let Some(gone) = blame(worlds, &mention)
                        {
                            found.add(worlds, gone, &page.path, claim.line, How::Command);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}
