//go:build race && !js

package model

// raceEnabled tells that the race detector makes everything several times slower.
const raceEnabled = true
