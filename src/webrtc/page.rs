//! The softphone: three files inside the binary, served with a policy that lets them load nothing else.

use super::server::problem;
use axum::{
    extract::Path,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

const INDEX: &str = include_str!("page/index.html");
/// The page's files: name, type, text.
static ASSETS: &[(&str, &str, &str)] = &[
    ("phone.js", "text/javascript; charset=utf-8", include_str!("page/phone.js")),
    ("phone.css", "text/css; charset=utf-8", include_str!("page/phone.css")),
    ("icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

/// Only our own files, our own WebSocket, our own microphone; nobody frames us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
pub(super) fn index() -> Response {
    file("text/html; charset=utf-8", INDEX)
}

/// One of its files.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => file(kind, text),
        None => problem(StatusCode::NOT_FOUND, "there is no such place; see docs/WEBRTC.md"),
    }
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("permissions-policy"), "microphone=(self)"),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_keeps_its_own_policy() {
        for (name, _, text) in ASSETS.iter().chain([&("index.html", "", INDEX)]) {
            for forbidden in ["style=\"", "onclick=", "javascript:", "eval(", "<style", "http://", "//cdn"] {
                let allowed = forbidden == "http://" && *name == "icon.svg";
                assert!(allowed || !text.contains(forbidden), "{name} has {forbidden}");
            }
        }
        for (name, ..) in ASSETS {
            assert!(INDEX.contains(name), "{name} is not used");
        }
        assert!(!INDEX.replace("<script src=", "").contains("<script"), "no script within the page");
    }
}
