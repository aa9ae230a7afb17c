//go:build js && wasm && widget

package main

// withInbox tells whether this module has the inbox's screens in it. The
// widget's has not: its visitors need not load them.
const withInbox = false
