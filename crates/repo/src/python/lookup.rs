//! Finds what a module holds under a name, without walking its lists.
//!
//! Why: joining a thousand modules asks for names a million times, and some of them hold ten thousand calls and
//! assignments. Made at the first question, from lists that do not change any more; four bytes an entry.
//! Not here: what a name means ([`super::define`]).

use std::sync::OnceLock;

use super::module::{Assignment, Class, Function, Import, Module};

/// The places of a module's entries, sorted by name. Follows from the lists: two modules that hold the same are equal,
/// whether they were asked or not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookup(OnceLock<Sorted>);

impl PartialEq for Lookup {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

#[derive(Clone, Debug)]
struct Sorted {
    functions: Box<[u32]>,
    classes: Box<[u32]>,
    imports: Box<[u32]>,
    assignments: Box<[u32]>,
}

/// Sorts places by name; those of one name stay in the sequence of the file.
fn sorted<T>(list: &[T], name: impl Fn(&T) -> &str) -> Box<[u32]> {
    let mut places: Vec<(&str, u32)> = list.iter().map(name).zip(0..).collect();
    places.sort_unstable();
    places.into_iter().map(|(_, at)| at).collect()
}

/// Returns the entries of that name with their places, in the sequence of the file.
fn find<'m, T, N: Fn(&T) -> &str>(
    list: &'m [T],
    places: &'m [u32],
    wanted: &str,
    name: N,
) -> impl DoubleEndedIterator<Item = (usize, &'m T)> + use<'m, T, N> {
    let of = |at: u32| list.get(at as usize).map_or("", &name);
    let start = places.partition_point(|at| of(*at) < wanted);
    let rest = places.get(start..).unwrap_or_default();
    let count = rest.partition_point(|at| of(*at) <= wanted);
    let found = rest.get(..count).unwrap_or_default();
    found
        .iter()
        .filter_map(|at| Some((*at as usize, list.get(*at as usize)?)))
}

impl Module {
    fn sorted(&self) -> &Sorted {
        self.lookup.0.get_or_init(|| Sorted {
            functions: sorted(&self.functions, |function| &function.name),
            classes: sorted(&self.classes, |class| &class.qualified),
            imports: sorted(&self.imports, |import| &import.bound),
            assignments: sorted(&self.assignments, |assignment| &assignment.name),
        })
    }

    /// Returns the functions and methods of that name with their places in [`Module::functions`], in the sequence
    /// of the file.
    pub fn functions_named<'m>(
        &'m self,
        name: &str,
    ) -> impl DoubleEndedIterator<Item = (usize, &'m Function)> + use<'m> {
        let places = &self.sorted().functions;
        find(&self.functions, places, name, |function| &function.name)
    }

    /// Returns the classes of that qualified name with their places in [`Module::classes`], likewise.
    pub fn classes_named<'m>(
        &'m self,
        qualified: &str,
    ) -> impl DoubleEndedIterator<Item = (usize, &'m Class)> + use<'m> {
        let places = &self.sorted().classes;
        find(&self.classes, places, qualified, |class| &class.qualified)
    }

    /// Returns the imports that bind that name with their places in [`Module::imports`], likewise.
    pub fn imports_bound<'m>(
        &'m self,
        name: &str,
    ) -> impl DoubleEndedIterator<Item = (usize, &'m Import)> + use<'m> {
        let places = &self.sorted().imports;
        find(&self.imports, places, name, |import| &import.bound)
    }

    /// Returns the assignments to that name, in the sequence of [`Module::assignments`].
    pub fn assignments_to<'m>(
        &'m self,
        name: &str,
    ) -> impl DoubleEndedIterator<Item = &'m Assignment> + use<'m> {
        let places = &self.sorted().assignments;
        find(&self.assignments, places, name, |assignment| {
            &assignment.name
        })
        .map(|(_, assignment)| assignment)
    }
}

#[cfg(test)]
mod tests {
    use crate::python::SourceFile;

    #[test]
    fn each_name_is_found_where_walking_the_lists_finds_it() {
        let text = "import a\nimport b as a\nx = 1\ny = x\nx = 2\n\
                    class C:\n    x = 3\n    def f(self):\n        self.x = 4\n\
                    def f():\n    class C:\n        pass\ndef g(): pass\ndef f(): pass\n";
        let module = SourceFile::parse("m.py", text).into_module();
        for name in ["a", "x", "y", "f", "g", "C", "f.C", "", "zz"] {
            let functions = module.functions.iter().enumerate();
            let walked: Vec<_> = functions.filter(|(_, f)| *f.name == *name).collect();
            assert_eq!(module.functions_named(name).collect::<Vec<_>>(), walked);
            let classes = module.classes.iter().enumerate();
            let walked: Vec<_> = classes.filter(|(_, c)| *c.qualified == *name).collect();
            assert_eq!(module.classes_named(name).collect::<Vec<_>>(), walked);
            let imports = module.imports.iter().enumerate();
            let walked: Vec<_> = imports.filter(|(_, i)| *i.bound == *name).collect();
            assert_eq!(module.imports_bound(name).collect::<Vec<_>>(), walked);
            let assignments = module.assignments.iter();
            let walked: Vec<_> = assignments.filter(|a| *a.name == *name).collect();
            assert_eq!(module.assignments_to(name).collect::<Vec<_>>(), walked);
        }
        assert!(module.functions_named("f").count() > 1);
        assert!(module.assignments_to("x").count() > 1);
    }
}
