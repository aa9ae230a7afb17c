//go:build !js

package main

import _ "embed"

// thirdParty lists the modules that the program and its WebAssembly are linked
// from, with their licenses. TestThirdParty keeps it; -update writes it.
//
//go:embed third_party.txt
var thirdParty string
