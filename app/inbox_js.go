//go:build js && wasm && !widget

package main

// withInbox tells whether this module has the inbox's screens in it.
const withInbox = true
