//! What a script needs of the policy, by what it says: no script is run here, so words have to tell. A policy that is too
//! strict breaks a site, one that is a little loose doesn't; but what bundles bring along and live without counts for
//! nothing: feature tests, and `Function("return this")`.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::needs::{Need, Needs, host_of, line_of};
use crate::site::settings::Directive;

/// What words mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// This is needed.
    Needs(Need),
    /// HTML is made of a text.
    Markup,
    /// A text has styles in it, which matters where HTML is made of it.
    StyledText,
    /// A text has handlers in it.
    HandlingText,
    /// `new Function(`, followed by what it is made of.
    Function,
    /// `eval(`, perhaps of something else.
    Eval,
    /// A worker begins.
    Worker,
    /// An address for what a script has made.
    ObjectUrl,
    /// Films or sounds are meant.
    Playing,
    /// Pictures are read from what is fetched.
    Bitmap,
    /// An address follows.
    Host(Directive),
}

/// Each in a few spellings: minifiers choose the quotes.
const WORDS: &[(&[&str], Sign)] = &[
    (
        &[
            "createElement(\"style\"",
            "createElement('style'",
            "createElement(`style`",
            "setAttribute(\"style\"",
            "setAttribute('style'",
            "setAttribute(`style`",
            // Of a style sheet that a script has made: those of files need nothing, and are hardly ever added to.
            ".insertRule(",
        ],
        Sign::Needs(Need::ScriptedStyles),
    ),
    (
        &[
            ".innerHTML",
            ".outerHTML",
            "insertAdjacentHTML(",
            "createContextualFragment(",
            "document.write(",
            ".html(",
        ],
        Sign::Markup,
    ),
    (
        &["style=\"", "style='", "style=\\\"", "style=\\'", "<style"],
        Sign::StyledText,
    ),
    (
        &[
            " onclick=\"",
            " onclick='",
            " onclick=\\\"",
            " onchange=\"",
            " onchange='",
            " onchange=\\\"",
            " onload=\"",
            " onload='",
            " onerror=\"",
            " onerror='",
            " onsubmit=\"",
        ],
        Sign::HandlingText,
    ),
    (&["new Function("], Sign::Function),
    (&["eval(", "(0,eval)(", "(0, eval)("], Sign::Eval),
    (
        &["setTimeout(\"", "setTimeout('", "setInterval(\"", "setInterval('"],
        Sign::Needs(Need::Eval),
    ),
    (
        &[
            "WebAssembly.instantiate",
            "WebAssembly.compile",
            "new WebAssembly.Module",
        ],
        Sign::Needs(Need::Wasm),
    ),
    (&["new Worker(", "new SharedWorker("], Sign::Worker),
    (&["createObjectURL("], Sign::ObjectUrl),
    (&["MediaSource", "HTMLVideoElement", "HTMLAudioElement"], Sign::Playing),
    (&["createImageBitmap(", "ImageBitmapLoader"], Sign::Bitmap),
    (
        &["data:image/", ".toDataURL(", ".readAsDataURL("],
        Sign::Needs(Need::DataImages),
    ),
    (
        &["data:font/", "data:application/font", "data:application/x-font"],
        Sign::Needs(Need::DataFonts),
    ),
    (&["data:audio/", "data:video/"], Sign::Needs(Need::DataMedia)),
    (
        &[
            "new Audio(",
            "createElement(\"video\"",
            "createElement('video'",
            "createElement(\"audio\"",
            "createElement('audio'",
            "jsx(\"video\"",
            "jsxs(\"video\"",
            "jsx(\"audio\"",
        ],
        Sign::Needs(Need::Media),
    ),
    (
        &[
            "createElement(\"iframe\"",
            "createElement('iframe'",
            "createElement(`iframe`",
            "jsx(\"iframe\"",
            "jsxs(\"iframe\"",
            "<iframe",
        ],
        Sign::Needs(Need::ScriptedFrames),
    ),
    (
        &[
            "fetch(\"data:",
            "fetch('data:",
            "fetch(`data:",
            "data:application/wasm",
            "data:application/octet-stream",
        ],
        Sign::Needs(Need::DataCalls),
    ),
    (
        &[
            "fetch(\"",
            "fetch('",
            "fetch(`",
            "new WebSocket(\"",
            "new WebSocket('",
            "new WebSocket(`",
            "new EventSource(\"",
            "new EventSource('",
            "sendBeacon(\"",
            "sendBeacon('",
        ],
        Sign::Host(Directive::Connect),
    ),
    (
        &[
            "import(\"",
            "import('",
            "import(`",
            "from\"",
            "from \"",
            "from '",
            "from'",
            "import \"",
            "import\"",
            "import '",
            "import'",
            "importScripts(\"",
            "importScripts('",
        ],
        Sign::Host(Directive::Script),
    ),
];

/// All words, and for each what it means.
static SIGNS: LazyLock<Option<(AhoCorasick, Vec<Sign>)>> = LazyLock::new(|| {
    let words = WORDS
        .iter()
        .flat_map(|(words, sign)| words.iter().map(move |word| (*word, *sign)));
    let (words, signs): (Vec<&str>, Vec<Sign>) = words.unzip();
    Some((AhoCorasick::new(words).ok()?, signs))
});

/// Where something was seen first.
type Place = Option<usize>;

/// What the script needs.
pub(crate) fn needs_of_script(text: &str) -> Needs {
    let mut needs = Needs::default();
    let Some((words, signs)) = LazyLock::force(&SIGNS) else {
        return needs;
    };
    let (mut markup, mut styled, mut handling): (Place, Place, Place) = (None, None, None);
    let (mut worker, mut made, mut playing, mut bitmap): (Place, Place, Place, Place) = (None, None, None, None);
    for found in words.find_overlapping_iter(text) {
        let (start, end) = (found.start(), found.end());
        let Some(sign) = signs.get(found.pattern().as_usize()) else {
            continue;
        };
        let is_known = match sign {
            Sign::Needs(need) => needs.needs.contains_key(need),
            Sign::Function | Sign::Eval => needs.needs.contains_key(&Need::Eval),
            _ => false,
        };
        if is_known || is_comment(text, start) {
            continue;
        }
        let line = || line_of(text, start);
        let (before, after) = (&text[..start], &text[end..]);
        let place = match sign {
            Sign::Needs(need) => {
                needs.add(*need, line);
                continue;
            }
            Sign::Function if is_made_of_something(after) => {
                needs.add(Need::Eval, line);
                continue;
            }
            Sign::Eval if is_eval(before, after) => {
                needs.add(Need::Eval, line);
                continue;
            }
            Sign::Host(directive) => {
                let address = after.split(['"', '\'', '`']).next().unwrap_or_default();
                // A path of the site's own may begin with two slashes by mistake; who means a host says the scheme.
                if let Some(host) = host_of(address).filter(|_| address.contains("://")) {
                    needs.add_host(*directive, host, line);
                }
                continue;
            }
            Sign::Function | Sign::Eval => continue,
            // `element.style='…'` goes another way, which no policy refuses.
            Sign::StyledText if is_attribute(before) || found.end() - found.start() == "<style".len() => &mut styled,
            Sign::StyledText => continue,
            Sign::Markup => &mut markup,
            Sign::HandlingText => &mut handling,
            Sign::Worker => &mut worker,
            Sign::ObjectUrl => &mut made,
            Sign::Playing => &mut playing,
            Sign::Bitmap => &mut bitmap,
        };
        place.get_or_insert(start);
    }
    for (need, place, with) in [
        (Need::ScriptedStyles, styled, markup),
        (Need::ScriptedHandlers, handling, markup),
        (Need::BlobWorkers, worker, made),
        (Need::BlobImages, made, made),
        (Need::BlobMedia, made, playing),
        (Need::BlobCalls, made, bitmap),
    ] {
        if let (Some(place), Some(_)) = (place, with) {
            needs.add(need, || line_of(text, place));
        }
    }
    needs
}

/// Whether the line is a comment from its beginning up to there.
fn is_comment(text: &str, place: usize) -> bool {
    // What is minified has few lines, and a licence at the beginning of them.
    let begin = place.saturating_sub(300);
    let begin = (begin..place).find(|at| text.is_char_boundary(*at)).unwrap_or(place);
    let line = &text[begin..place];
    let line = match line.rsplit_once('\n') {
        Some((_, line)) => line,
        None if begin > 0 => return false,
        None => line,
    };
    let line = line.trim_start();
    line.starts_with("//") || (line.starts_with('*') || line.starts_with("/*")) && !line.contains("*/")
}

/// Whether `new Function(` isn't a test whether that is possible, or a way to the global object, which is only tried.
fn is_made_of_something(after: &str) -> bool {
    let after = after.trim_start();
    let tests = [
        "\"\"",
        "''",
        "``",
        ")",
        "\"return this",
        "'return this",
        "`return this",
        "\"return 1",
    ];
    !tests.iter().any(|test| after.starts_with(test))
}

/// Whether `eval(` is the one that runs code: not a method, nor the beginning of another function of that name.
fn is_eval(before: &str, after: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    match before.chars().next_back() {
        Some('.') => {
            let owner = before.trim_end_matches('.');
            return ["window", "globalThis", "self"].iter().any(|global| {
                owner
                    .strip_suffix(global)
                    .is_some_and(|rest| !rest.ends_with(|c: char| is_part(c) || c == '.'))
            });
        }
        Some(c) if is_part(c) || c == '#' => return false,
        _ => {}
    }
    if before.trim_end().ends_with("function") {
        return false;
    }
    // `eval("quire".replace(…))("require")` hides a module of Node's from bundlers, and is only tried.
    if after.starts_with("\"quire\"") || after.starts_with("'quire'") || after.starts_with(')') {
        return false;
    }
    let mut depth = 1;
    for (at, c) in after.char_indices().take(200) {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return !after[at + 1..].trim_start().starts_with('{');
        }
    }
    true
}

/// Whether what follows may be an attribute in a text of HTML.
fn is_attribute(before: &str) -> bool {
    before.ends_with([' ', '\n', '\t', '"', '\'', '`'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(script: &str) -> Vec<Need> {
        needs_of_script(script).needs.into_keys().collect()
    }

    #[test]
    fn what_sites_live_without_needs_nothing() {
        for script in [
            "",
            "document.body.style.color = 'red'; element.style='color:red'; element.innerHTML = x",
            "const root = Function(\"return this\")();",
            "var g; try { g = g || new Function(\"return this\")(); } catch (e) { g = window }",
            "function noUnsafeEval() { try { new Function(''); return false } catch (_) { return true } }",
            "node.eval(scope); this.eval(x); class A { eval(e){return e} }; function eval(x) {}; const medieval(1)",
            "try { mod = eval(\"quire\".replace(/^/,\"re\"))(\"require\") } catch (e) {}",
            "// eval(x)\n  * new Function('a', b)\n",
            "fetch('/api/users'); import('./chunk.js'); setTimeout(f, 10)",
            "navigator.serviceWorker.register('/sw.js'); new Worker('/worker.js')",
            "sheet.replaceSync('a{}'); document.adoptedStyleSheets = [sheet]",
        ] {
            assert_eq!(needed(script), [], "{script}");
        }
    }

    #[test]
    fn what_scripts_do_tells_what_they_need() {
        for (script, expected) in [
            ("let s = document.createElement(\"style\")", vec![Need::ScriptedStyles]),
            ("e.setAttribute('style', 'color: red')", vec![Need::ScriptedStyles]),
            ("e.innerHTML = `<b style=\"color:red\">`", vec![Need::ScriptedStyles]),
            (
                "e.insertAdjacentHTML('beforeend', '<a onclick=\"x()\">')",
                vec![Need::ScriptedHandlers],
            ),
            ("/*! licence */ var f = new Function('a', 'return a')", vec![Need::Eval]),
            ("x = eval(code)", vec![Need::Eval]),
            ("(0,eval)(code)", vec![Need::Eval]),
            ("window.eval(code)", vec![Need::Eval]),
            ("setTimeout('tick()', 9)", vec![Need::Eval]),
            ("WebAssembly.instantiateStreaming(fetch(u))", vec![Need::Wasm]),
            (
                "new Worker(URL.createObjectURL(new Blob([s])))",
                vec![Need::BlobImages, Need::BlobWorkers],
            ),
            (
                "v.src = URL.createObjectURL(new MediaSource)",
                vec![Need::BlobImages, Need::BlobMedia],
            ),
            ("i.src = 'data:image/png;base64,'", vec![Need::DataImages]),
            ("new Audio('ding.mp3').play()", vec![Need::Media]),
            ("fetch('data:text/plain,x')", vec![Need::DataCalls]),
            ("document.createElement('iframe')", vec![Need::ScriptedFrames]),
        ] {
            assert_eq!(needed(script), expected, "{script}");
        }
        let needs = needs_of_script("a()\n\neval(b)\n");
        assert_eq!(needs.needs[&Need::Eval], 3);
    }

    #[test]
    fn hosts_are_those_that_are_written_out() {
        let needs = needs_of_script(
            "fetch(`https://api.example.com/v1/${id}`)\nnew WebSocket('wss://live.example.com:444/')\n\
             import x from \"https://esm.example/x\"; fetch(`https://${host}/`); fetch('//x')",
        );
        let hosts: Vec<String> = needs
            .hosts
            .iter()
            .map(|host| format!("{} {} {}", host.directive.setting(), host.origin, host.line))
            .collect();
        assert_eq!(
            hosts,
            [
                "connect https://api.example.com 1",
                "connect wss://live.example.com:444 2",
                "script https://esm.example 3"
            ]
        );
    }
}
