use super::*;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn ui(options: Output) -> (Ui, Captured, Captured) {
    let (out, err) = (Captured::default(), Captured::default());
    let ui = Ui::to(
        &options,
        Box::new(out.clone()),
        Box::new(err.clone()),
        None,
        Coloured::default(),
    );
    (ui, out, err)
}

fn chatter(ui: &Ui) {
    ui.say("said");
    ui.detail("detail");
    ui.warn("careful");
    ui.begin("tor", Some(3)).finish("from the store");
    drop(ui.begin("openssl", None));
    ui.table(
        ["name", "size"],
        &[["tor".into(), "1".into()], ["zig".into(), "22".into()]],
    )
    .unwrap();
}

#[test]
fn data_to_stdout_the_rest_to_stderr() {
    let (ui, out, err) = ui(Output::default());
    chatter(&ui);
    assert_eq!(out.text(), "name  size\ntor   1\nzig   22\n");
    assert_eq!(
        err.text(),
        "said\nwarning: careful\ntor: from the store\nopenssl …\nopenssl: failed\n"
    );
}

#[test]
fn quiet_still_warns() {
    let (ui, _, err) = ui(Output {
        quiet: true,
        ..Output::default()
    });
    chatter(&ui);
    assert_eq!(err.text(), "warning: careful\n");
}

#[test]
fn verbose_says_details() {
    let (ui, _, err) = ui(Output {
        verbose: true,
        ..Output::default()
    });
    chatter(&ui);
    assert!(err.text().contains("\ndetail\n"));
}

/// Whatever gets this far: nothing that is printed steers a terminal.
// Guards: S1.
#[test]
fn nothing_that_is_printed_steers_a_terminal() {
    let evil = "\x1b]8;;http://x\x07\u{9b}2J\u{202e}\u{2028}\r";
    let (ui, out, err) = ui(Output {
        verbose: true,
        ..Output::default()
    });
    ui.say(evil);
    ui.detail(evil);
    ui.warn(evil);
    ui.begin(evil, None).finish(evil);
    ui.error(&anyhow::anyhow!("{evil}").context(evil));
    ui.data(evil).unwrap();
    ui.table(["x"], &[[evil.into()]]).unwrap();
    ui.json(&evil).unwrap();
    ui.document(&format!("\"{}\"", "\u{9b}\u{202e}")).unwrap();
    for text in [out.text(), err.text()] {
        let steers = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}".contains(c));
        assert!(!text.contains(steers), "{text:?}");
    }
    assert!(out.text().ends_with("\"\\u009b\\u202e\"\n"));
}

#[test]
fn an_error_for_programs() {
    let (ui, out, err) = ui(Output {
        json: true,
        ..Output::default()
    });
    ui.error(&anyhow::anyhow!("inner").context("outer"));
    let value: serde_json::Value = serde_json::from_str(&out.text()).unwrap();
    let expected = serde_json::json!({
        "format": 1,
        "error": { "message": "outer", "causes": ["inner"], "hint": null },
    });
    assert_eq!(value, expected);
    assert_eq!(err.text(), "error: outer\n  caused by: inner\n");
}

#[test]
fn an_error_shows_its_causes() {
    let (ui, _, err) = ui(Output::default());
    ui.error(&anyhow::anyhow!("inner").context("outer"));
    assert_eq!(err.text(), "error: outer\n  caused by: inner\n");
}
