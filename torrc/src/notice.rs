//! The page for port 80 of an exit: it tells those who trace traffic to the address what
//! they have found.

/// The page of the relay `name`, whose operator `contact` reaches, as HTML.
pub(super) fn page(name: &str, contact: &str) -> String {
    let (name, contact) = (escaped(name), escaped(contact));
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>This is a Tor exit relay</title>
<style>body {{ max-width: 40em; margin: 2em auto; padding: 0 1em; font-family: sans-serif; line-height: 1.5 }}</style>
</head>
<body>
<h1>This is a Tor exit relay</h1>
<p>You have most likely come here because of traffic that came from this address. It did not
begin here. The machine at this address is <strong>{name}</strong>, an exit relay of the Tor
network: traffic of people all over the world passes through it on its way out.</p>
<h2>What Tor is</h2>
<p><a href="https://www.torproject.org/">Tor</a> lets people use the Internet without being
watched. Each connection goes through three relays, run by volunteers, and only the last of
them, the exit, can be seen from outside. Journalists, companies, the police and a great many
ordinary people use it; some misuse it, as they do every other network.</p>
<h2>What can be found here</h2>
<p>Nothing that leads further. This machine does not know whose traffic it passes on, keeps no
record of it, and cannot be made to find out afterwards: the network is built that way. There
is nobody here who sent what you saw.</p>
<h2>What you can do</h2>
<ul>
<li>See whether an address was a relay at a given time:
<a href="https://metrics.torproject.org/exonerator.html">ExoneraTor</a>.</li>
<li>Keep all exit relays away from a service of yours: the
<a href="https://check.torproject.org/torbulkexitlist">list of their addresses</a> is public.</li>
<li>Ask that one of your addresses is not reached from here: write to the operator.</li>
</ul>
<h2>Who runs it</h2>
<p>{contact}</p>
</body>
</html>
"#
    )
}

fn escaped(text: &str) -> String {
    let escape = |c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        _ => String::from(c),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_the_text() {
        assert_eq!(
            escaped("<a b=\"c\"> & d"),
            "&lt;a b=&quot;c&quot;&gt; &amp; d"
        );
    }
}
