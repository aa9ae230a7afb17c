// Package e2e drives the real binary from outside: a headless Chromium on the
// demo shop, two or more visitors in browser contexts of their own, the chat in
// its cross-origin frame, a front between browser and server that can be cut,
// stalled and told to lose answers, and plain HTTP and WebSocket clients for
// what somebody would try by hand.
//
// There is no code here but tests. They need a built module (make build) and
// Chromium; without Chromium they are skipped with a line that says so, unless
// ANTEROOM_E2E=1 (set by make test) forbids that. ANTEROOM_E2E_SHOTS names a
// folder for screenshots: of every failure, and of the screens worth looking at.
// ANTEROOM_E2E_DIST names a folder, from the module's root, with a module to
// test in the place of the one in web/dist.
//
// The heart of the stories runs in Firefox (WebDriver BiDi) and WebKitGTK (WebDriver)
// too, where firefox-esr, webkit2gtk-driver and xvfb are installed; ANTEROOM_ENGINES=1
// forbids to skip them. One story in Go speaks both protocols, which are plain JSON:
// puppeteer-core speaks only one of them, and would want the story in another language.
//
// # How elements are found
//
// By role and name, with shadow trees, as a screen reader would: what a test can
// click, somebody who can't see can use. Clicks and keys are real ones, at the
// place on screen where the element is.
//
// # Invariants
//
//   - Nothing waits for a time: everything waits for a condition with a deadline.
//   - An exception, an error in the console or a refused policy fails a test unless
//     the test has said that it causes it.
//   - Every visitor has a browser context of their own; every test has a server of
//     its own, on ports and a data folder of its own.
//   - Tests know what is promised (roles, names, the wire), not how it is built.
package e2e
