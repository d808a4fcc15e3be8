//! Patches that apply, and one row a way in which one does not.

use std::os::unix::fs::MetadataExt;

use fs_err::os::unix::fs::symlink;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const EPOCH: u64 = 1_700_000_000;

/// A tree to be patched.
fn tree() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs_err::write(root.path().join(name), text).unwrap();
    fs_err::create_dir(root.path().join("dir")).unwrap();
    write("numbers", "one\ntwo\nthree\nfour\nfive\nsix\nseven\n");
    write("dir/open", "first\nlast");
    write("dir/script", "#!/bin/sh\n");
    let script = fs_err::metadata(root.path().join("dir/script")).unwrap();
    let mut mode = script.permissions();
    mode.set_mode(0o755);
    fs_err::set_permissions(root.path().join("dir/script"), mode).unwrap();
    symlink("numbers", root.path().join("link")).unwrap();
    symlink("dir", root.path().join("dirlink")).unwrap();
    root
}

fn patch(root: &TempDir, text: &str) -> Result<(), Error> {
    apply_text(
        "x.patch",
        format!("Why.\n\n{text}").as_bytes(),
        root.path(),
        EPOCH,
    )
}

/// All files and links, with what is in them.
fn picture(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        let kind = path.symlink_metadata().unwrap();
        if kind.is_symlink() {
            found.push((
                name,
                fs_err::read_link(&path).unwrap().display().to_string(),
            ));
        } else if kind.is_dir() {
            found.push((name, "/".into()));
            found.extend(picture(&path));
        } else {
            found.push((name, fs_err::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn patches_that_apply() {
    for (what, text, file, expected) in [
        (
            "two hunks, the second moved by the first",
            "--- a/numbers\n+++ b/numbers\n@@ -1,2 +1,3 @@\n one\n+and a half\n two\n\
             @@ -6,2 +7,1 @@ some function\n six\n-seven\n",
            "numbers",
            Some("one\nand a half\ntwo\nthree\nfour\nfive\nsix\n"),
        ),
        (
            "no context, one line each",
            "--- a/numbers\n+++ b/numbers\n@@ -2 +2 @@\n-two\n+2\n@@ -3,0 +4 @@\n+3 1/2\n",
            "numbers",
            Some("one\n2\nthree\n3 1/2\nfour\nfive\nsix\nseven\n"),
        ),
        (
            "at the very start",
            "--- a/numbers\n+++ b/numbers\n@@ -0,0 +1 @@\n+zero\n",
            "numbers",
            Some("zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\n"),
        ),
        (
            "as git writes it, times behind the names",
            "diff --git a/numbers b/numbers\nindex 1234567..89abcde 100644\n\
             --- a/numbers\t2026-01-01\n+++ b/numbers\t2026-01-02\n@@ -7 +7 @@\n-seven\n+7\n",
            "numbers",
            Some("one\ntwo\nthree\nfour\nfive\nsix\n7\n"),
        ),
        (
            "a newline at the end comes",
            "--- a/dir/open\n+++ b/dir/open\n@@ -1,2 +1,2 @@\n first\n-last\n\
             \\ No newline at end of file\n+last\n",
            "dir/open",
            Some("first\nlast\n"),
        ),
        (
            "it stays away",
            "--- a/dir/open\n+++ b/dir/open\n@@ -1,2 +1,2 @@\n-first\n+1\n last\n\
             \\ No newline at end of file\n",
            "dir/open",
            Some("1\nlast"),
        ),
        (
            "it goes",
            "--- a/dir/script\n+++ b/dir/script\n@@ -1 +1 @@\n-#!/bin/sh\n+#!/bin/false\n\
             \\ No newline at end of file\n",
            "dir/script",
            Some("#!/bin/false"),
        ),
        (
            "a new file, in new directories",
            "--- /dev/null\n+++ b/new/er/file\n@@ -0,0 +1,2 @@\n+a\n+b\n",
            "new/er/file",
            Some("a\nb\n"),
        ),
        (
            "a new file by git",
            "diff --git a/new b/new\nnew file mode 100644\nindex 0000000..1234567\n\
             --- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+--- a\n",
            "new",
            Some("--- a\n"),
        ),
        (
            "a file goes",
            "--- a/dir/open\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-first\n-last\n\
             \\ No newline at end of file\n",
            "dir/open",
            None,
        ),
    ] {
        let root = tree();
        patch(&root, text).unwrap_or_else(|error| panic!("{what}: {error}"));
        let path = root.path().join(file);
        let got = path
            .exists()
            .then(|| fs_err::read_to_string(&path).unwrap());
        assert_eq!(got.as_deref(), expected, "{what}");
        let seconds = i64::try_from(EPOCH).unwrap();
        for changed in path
            .ancestors()
            .take_while(|path| path.starts_with(root.path()))
        {
            if changed.exists() {
                assert_eq!(changed.metadata().unwrap().mtime(), seconds, "{what}");
            }
        }
    }
}

#[test]
fn modes_stay_and_other_names_of_a_file_are_left_alone() {
    let root = tree();
    let (script, other) = (root.path().join("dir/script"), root.path().join("other"));
    fs_err::hard_link(&script, &other).unwrap();
    let text = "--- a/dir/script\n+++ b/dir/script\n@@ -1 +1,2 @@\n #!/bin/sh\n+true\n";
    patch(&root, text).unwrap();
    assert_eq!(
        fs_err::read_to_string(&script).unwrap(),
        "#!/bin/sh\ntrue\n"
    );
    assert_eq!(script.metadata().unwrap().mode() & 0o7777, 0o755);
    assert_eq!(fs_err::read_to_string(&other).unwrap(), "#!/bin/sh\n");
}

#[test]
fn each_is_refused_and_nothing_is_changed() {
    let numbers = "--- a/numbers\n+++ b/numbers\n";
    let rows: Vec<(String, &str)> = vec![
        // Lines that are not what and where the patch says.
        (
            format!("{numbers}@@ -1,2 +1,2 @@\n one\n-zwei\n+2\n"),
            "x.patch: hunk 1 does not apply: line 2 of `numbers`: expected `zwei`, got `two`",
        ),
        (
            // One line further down it would apply.
            format!("{numbers}@@ -2,2 +2,3 @@\n one\n+1 1/2\n two\n"),
            "x.patch: hunk 1 does not apply: line 2 of `numbers`: expected `one`, got `two`",
        ),
        (
            format!("{numbers}@@ -1 +1 @@\n-one\n+1\n@@ -5,2 +5,1 @@\n five\n-Six\n"),
            "x.patch: hunk 2 does not apply: line 6 of `numbers`: expected `Six`, got `six`",
        ),
        (
            format!("{numbers}@@ -2 +2 @@\n-two \n+2\n"),
            "x.patch: hunk 1 does not apply: line 2 of `numbers`: expected `two `, got `two`",
        ),
        (
            format!("{numbers}@@ -2 +2 @@\n-two\r\n+2\n"),
            r"x.patch: hunk 1 does not apply: line 2 of `numbers`: expected `two\r`, got `two`",
        ),
        (
            format!("{numbers}@@ -7,2 +7,2 @@\n seven\n-eight\n+8\n"),
            "x.patch: hunk 1 does not apply: line 8 of `numbers`: expected `eight`, \
             got the end of the file",
        ),
        (
            format!("{numbers}@@ -70 +70 @@\n-eight\n+8\n"),
            "x.patch: hunk 1 does not apply: line 8 of `numbers`: expected `eight`, \
             got the end of the file",
        ),
        (
            "--- a/dir/open\n+++ b/dir/open\n@@ -2 +2 @@\n-last\n+2\n".into(),
            "x.patch: hunk 1 does not apply: line 2 of `dir/open`: expected `last`, \
             got `last` without a newline",
        ),
        (
            format!("{numbers}@@ -2 +2 @@\n-two\n+2\n\\ No newline at end of file\n"),
            "x.patch: hunk 1 does not apply: line 3 of `numbers`: \
             expected the end of the file, got `three`",
        ),
        (
            format!("{numbers}@@ -1 +1,2 @@\n-one\n+1\n\\ No newline at end of file\n+2\n"),
            "x.patch, line 9: expected no line behind one without a newline, got `+2`",
        ),
        (
            format!(
                "{numbers}@@ -7 +7 @@\n-seven\n+7\n\\ No newline at end of file\n\
                 @@ -7,0 +8 @@\n+8\n"
            ),
            "x.patch, line 10: expected no line behind one without a newline, got `+8`",
        ),
        (
            "--- a/dir/open\n+++ b/dir/open\n@@ -2,0 +3 @@\n+more\n".into(),
            "x.patch: hunk 1 does not apply: line 2 of `dir/open`: expected `last`, \
             got `last` without a newline",
        ),
        (
            "--- a/dir/open\n+++ /dev/null\n@@ -1 +0,0 @@\n-first\n".into(),
            "x.patch: hunk 1 does not apply: line 2 of `dir/open`: \
             expected the end of the file, got `last` without a newline",
        ),
        (
            // The first file is right, the second wrong: neither changes.
            format!("{numbers}@@ -1 +1 @@\n-one\n+1\n--- a/dir/open\n+++ b/dir/open\n@@ -1 +1 @@\n-1\n+2\n"),
            "x.patch: hunk 1 does not apply: line 1 of `dir/open`: expected `1`, got `first`",
        ),
        // Files.
        (
            "--- a/absent\n+++ b/absent\n@@ -1 +1 @@\n-a\n+b\n".into(),
            "x.patch: `absent`: expected a file, got nothing",
        ),
        (
            "--- a/dir\n+++ b/dir\n@@ -1 +1 @@\n-a\n+b\n".into(),
            "x.patch: `dir`: expected a file, got a directory",
        ),
        (
            "--- a/link\n+++ b/link\n@@ -1 +1 @@\n-one\n+1\n".into(),
            "x.patch: `link`: expected a file, got a link",
        ),
        (
            "--- a/dirlink/open\n+++ b/dirlink/open\n@@ -1 +1 @@\n-first\n+1\n".into(),
            "x.patch: `dirlink`: expected a directory, got a link",
        ),
        (
            "--- /dev/null\n+++ b/dirlink/new\n@@ -0,0 +1 @@\n+1\n".into(),
            "x.patch: `dirlink`: expected a directory, got a link",
        ),
        (
            "--- /dev/null\n+++ b/numbers/new\n@@ -0,0 +1 @@\n+1\n".into(),
            "x.patch: `numbers`: expected a directory, got a file",
        ),
        (
            "--- a/no/file\n+++ b/no/file\n@@ -1 +1 @@\n-a\n+b\n".into(),
            "x.patch: `no`: expected a directory, got nothing",
        ),
        (
            "--- /dev/null\n+++ b/numbers\n@@ -0,0 +1 @@\n+1\n".into(),
            "x.patch: `numbers`: expected nothing, got a file",
        ),
        (
            "--- /dev/null\n+++ b/link\n@@ -0,0 +1 @@\n+1\n".into(),
            "x.patch: `link`: expected nothing, got a link",
        ),
        // Names.
        (
            "--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n".into(),
            "x.patch, line 3: refused: `../x` has `..` in its path",
        ),
        (
            "--- /dev/null\n+++ b//etc/x\n@@ -0,0 +1 @@\n+b\n".into(),
            "x.patch, line 4: refused: `/etc/x` has an absolute path",
        ),
        (
            "--- a/a\u{7}\n+++ b/a\u{7}\n@@ -1 +1 @@\n-a\n+b\n".into(),
            r"x.patch, line 3: refused: `a\x07` has a control character in its name",
        ),
        (
            "--- a/.\n+++ b/.\n@@ -1 +1 @@\n-a\n+b\n".into(),
            "x.patch, line 3: expected `--- a/` and a name, got `--- a/.`",
        ),
        (
            "--- numbers\n+++ numbers\n@@ -1 +1 @@\n-one\n+1\n".into(),
            "x.patch, line 3: expected `--- a/` and a name, got `--- numbers`",
        ),
        (
            "--- \"a/n\\303\\274\"\n+++ b/numbers\n@@ -1 +1 @@\n-one\n+1\n".into(),
            r#"x.patch, line 3: expected `--- a/` and a name, got `--- "a/n\303\274"`"#,
        ),
        (
            "--- a/numbers\n+++ b/dir/open\n@@ -1 +1 @@\n-one\n+1\n".into(),
            "x.patch, line 4: expected `+++ b/numbers`, got `+++ b/dir/open`",
        ),
        (
            "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-one\n+1\n".into(),
            "x.patch, line 4: expected `+++ b/` and a name, got `+++ /dev/null`",
        ),
        (
            format!("{numbers}@@ -1 +1 @@\n-one\n+1\n{numbers}@@ -2 +2 @@\n-two\n+2\n"),
            "x.patch, line 8: expected each file once, got `numbers` again",
        ),
        (
            "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+1\n--- /dev/null\n+++ b/n/m\n@@ -0,0 +1 @@\n+1\n".into(),
            "x.patch, line 7: expected each file once, got `n/m` again",
        ),
        // Syntax.
        (String::new(), "x.patch, line 3: expected `--- a/` and a name, got the end of the file"),
        (
            "--- a/numbers\n@@ -1 +1 @@\n-one\n+1\n".into(),
            "x.patch, line 4: expected `+++ b/` and a name, got `@@ -1 +1 @@`",
        ),
        (
            numbers.into(),
            "x.patch, line 5: expected `@@ -<line>,<lines> +<line>,<lines> @@`, \
             got the end of the file",
        ),
        (
            format!("{numbers}@@ -1 +2 @@\n-one\n+1\n"),
            "x.patch, line 5: expected `@@ -<line>,<lines> +<line>,<lines> @@`, \
             got `@@ -1 +2 @@`",
        ),
        (
            format!("{numbers}@@ -1 +1,2 @@\n-one\n+1\n+2\n@@ -3 +3 @@\n-three\n+3\n"),
            "x.patch, line 9: expected `@@ -<line>,<lines> +<line>,<lines> @@`, \
             got `@@ -3 +3 @@`",
        ),
        (
            format!("{numbers}@@ -3 +3 @@\n-three\n+3\n@@ -1 +1 @@\n-one\n+1\n"),
            "x.patch, line 8: expected `@@ -<line>,<lines> +<line>,<lines> @@`, \
             got `@@ -1 +1 @@`",
        ),
        (
            format!("{numbers}@@ -0 +0 @@\n-one\n+1\n"),
            "x.patch, line 5: expected `@@ -<line>,<lines> +<line>,<lines> @@`, \
             got `@@ -0 +0 @@`",
        ),
        (
            format!("{numbers}@@ -1 +1,99999999999999999999 @@\n"),
            "x.patch, line 5: expected `@@ -<line>,<lines> +<line>,<lines> @@`, \
             got `@@ -1 +1,99999999999999999999 @@`",
        ),
        (
            "--- /dev/null\n+++ b/new\n@@ -1 +1 @@\n-1\n+2\n".into(),
            "x.patch, line 5: expected `@@ -<line>,<lines> +<line>,<lines> @@`, \
             got `@@ -1 +1 @@`",
        ),
        (
            "--- a/numbers\n+++ /dev/null\n@@ -1 +1 @@\n-one\n+1\n".into(),
            "x.patch, line 5: expected `@@ -<line>,<lines> +<line>,<lines> @@`, \
             got `@@ -1 +1 @@`",
        ),
        (
            format!("{numbers}@@ -1,2 +1,2 @@\n-one\n+1\n"),
            "x.patch, line 8: expected 1 old and 1 new lines more, got the end of the file",
        ),
        (
            format!("{numbers}@@ -1,2 +1,2 @@\n-one\n+1\ntwo\n"),
            "x.patch, line 8: expected 1 old and 1 new lines more, got `two`",
        ),
        (
            // An editor cut the blank that stands for an empty line of context.
            format!("{numbers}@@ -1,2 +1,2 @@\n-one\n+1\n\n"),
            "x.patch, line 8: expected 1 old and 1 new lines more, got ``",
        ),
        (
            format!("{numbers}@@ -1 +1 @@\n-one\n+1\n two\n"),
            "x.patch, line 8: expected `@@`, `---`, `diff` or the end, got ` two`",
        ),
        (
            format!("{numbers}@@ -1 +1 @@\n-one\n+1\n-- \n2.39.5\n"),
            "x.patch, line 8: expected `@@`, `---`, `diff` or the end, got `-- `",
        ),
        (
            format!("{numbers}@@ -1 +1 @@\n-one\n+1"),
            "x.patch, line 7: expected a whole line, got `+1` without a newline",
        ),
        (
            "diff --git a/numbers b/n\nrename from numbers\nrename to n\n".into(),
            "x.patch, line 4: expected `--- a/` and a name, got `rename from numbers`",
        ),
        (
            "diff --git a/numbers b/numbers\nold mode 100644\nnew mode 100755\n".into(),
            "x.patch, line 4: expected `--- a/` and a name, got `old mode 100644`",
        ),
        (
            "diff --git a/n b/n\nnew file mode 120000\n--- /dev/null\n".into(),
            "x.patch, line 4: expected `--- a/` and a name, got `new file mode 120000`",
        ),
        (
            "diff --git a/n b/n\nGIT binary patch\n".into(),
            "x.patch, line 4: expected `--- a/` and a name, got `GIT binary patch`",
        ),
    ];
    let root = tree();
    let before = picture(root.path());
    let wrong: Vec<String> = rows
        .into_iter()
        .filter_map(|(text, expected)| {
            let got = match patch(&root, &text) {
                Ok(()) => "applied".into(),
                Err(error) => error.to_string(),
            };
            let same = picture(root.path()) == before;
            (got != expected || !same)
                .then(|| format!("expected: {expected}\n     got: {got}, {same}"))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_patch_says_what_it_is_for() {
    let root = tree();
    let change = "--- a/numbers\n+++ b/numbers\n@@ -1 +1 @@\n-one\n+1\n";
    for text in [
        change.to_owned(),
        format!("\n \n{change}"),
        format!("diff --git a/numbers b/numbers\n{change}"),
        format!("Index: numbers\n{change}"),
        String::new(),
    ] {
        let error = apply_text("x.patch", text.as_bytes(), root.path(), EPOCH).unwrap_err();
        assert_eq!(
            error.to_string(),
            "x.patch: expected some text before its first file that says what it is for"
        );
    }
}

#[test]
fn the_hint_says_what_to_do() {
    let root = tree();
    let text = "--- a/numbers\n+++ b/numbers\n@@ -1 +1 @@\n-eins\n+1\n";
    insta::assert_snapshot!(
        patch(&root, text).unwrap_err().hint().unwrap(),
        @"the source is not the one that the patch was made for: make `x.patch` anew with `diff -u` from that source, or drop it if upstream has the change"
    );
}

proptest! {
    #[test]
    fn any_edit_applies_and_no_other_text_is_taken(
        // Of each old line: its text, whether it stays, and what comes after it.
        lines in proptest::collection::vec(
            ("[ab+@ -]{0,3}", any::<bool>(), proptest::option::of("[cd\\\\-]{0,3}")), 1..12,
        ),
        per_hunk in 1..5_usize,
        (no_newline, wrong) in (any::<bool>(), any::<prop::sample::Index>()),
    ) {
        let (mut old, mut new) = (Vec::new(), Vec::new());
        let mut text = String::from("--- a/f\n+++ b/f\n");
        for hunk in lines.chunks(per_hunk) {
            let (old_before, new_before) = (old.len(), new.len());
            let mut body = String::new();
            for (line, stays, added) in hunk {
                old.push(line.as_str());
                if *stays {
                    new.push(line.as_str());
                }
                body += &format!("{}{line}\n", if *stays { ' ' } else { '-' });
                if let Some(added) = added {
                    new.push(added.as_str());
                    body += &format!("+{added}\n");
                }
            }
            let range = |before: usize, after: usize| {
                let first = if after > before { before + 1 } else { before };
                format!("{first},{}", after - before)
            };
            let (old_range, new_range) = (range(old_before, old.len()), range(new_before, new.len()));
            text += &format!("@@ -{old_range} +{new_range} @@\n{body}");
        }
        let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let (before, after) = (joined(&old), joined(&new));
        let text = format!("Why.\n{text}");
        let changes = parse::parse("x.patch", text.as_bytes()).unwrap();
        let applied = hunk::apply(&changes[0].hunks, before.as_bytes()).unwrap();
        prop_assert_eq!(String::from_utf8(applied).unwrap(), after);

        // One byte more, or the last newline less, anywhere in the old text.
        let mut other = before.clone();
        if no_newline {
            other.pop();
        } else {
            other.insert(wrong.index(other.len()), 'x');
        }
        prop_assert!(hunk::apply(&changes[0].hunks, other.as_bytes()).is_err());
    }

    #[test]
    fn no_patch_panics_the_parser(
        lines in proptest::collection::vec(prop_oneof![
            Just("--- a/f".to_owned()), Just("+++ b/f".to_owned()), Just("--- /dev/null".to_owned()),
            Just("\\ No newline".to_owned()), Just("@@ -1 +1 @@".to_owned()), Just("+".to_owned()),
            "@@ -[0-9]{0,3},?[0-9]{0,20} \\+[0-9]{0,3},?[0-9]{0,3} @@", "[ +\\-@].{0,5}", "\\PC{0,8}",
        ], 0..20),
        rest in any::<Vec<u8>>(),
    ) {
        let text = [format!("Why.\n{}", lines.join("\n")).into_bytes(), rest].concat();
        if let Ok(changes) = parse::parse("x.patch", &text) {
            for change in changes {
                let _ = hunk::apply(&change.hunks, b"a\nb\n");
            }
        }
    }
}
