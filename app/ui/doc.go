// Package ui holds the screens of the widget and of the inbox as go-app
// components. They read a store.View through a Model and send intents; what
// lies outside go-app's tree (composer, host page, title, focus) they reach
// through a Shell.
//
// # How a change reaches the screen
//
// The driver calls Model.Update with the newest view once per batch and
// dispatches the root component once. The root renders the frame around the
// log; the log, which is a component of its own, renders again only when its
// revision changed, and its rows only where their entry changed. A keystroke
// changes neither.
//
// The log keeps its place on screen by the lower edge of the topmost row on
// screen, noted when it is drawn (not when that was asked for: visitors scroll
// on meanwhile) and restored in the same frame. For the same reason it asks the
// screen, not the last scroll event, before it goes on following the end.
//
// What an append leads to besides its row waits for the frame that shows it: that
// the message was read is told a moment later, and neither that nor its echo from
// the server draws the log again.
//
// go-app compares by position, keeps the first closure a handler had, and
// drops empty values. Hence: entries of lists are components whose handlers
// are methods (a method reads the fields of now, a closure those of then),
// models are passed as one pointer that never changes together with a
// revision, and inputs are uncontrolled: they are read when a form is sent.
//
// # Invariants
//
//   - No HTML ever: texts become text nodes, links are anchors of http and
//     https only. app.Raw is not used (TestNoRaw).
//   - At most MaxRows rows are in the document, whatever a room's length.
//   - Nothing is pretended: "Read" comes from a receipt, a name from an event.
//   - All words are in text.go; all directions in CSS are logical.
//   - The package knows nothing of sockets, storage, credentials or HTTP.
package ui
