//go:build !race && !js

package model

const raceEnabled = false
