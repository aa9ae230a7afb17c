// Command icons draws the inbox's icons into web/icons; their PNG files are
// committed, so it runs only when the drawing changes:
//
//	go run ./web/build/icons      from the module's root
//
// # Invariants
//
//   - The drawing is icons/icon.svg's: a speech bubble of strokes on a square.
//   - A maskable icon fills its square and keeps the bubble in the safe zone.
package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
)

type point struct{ x, y float64 }

var (
	green = color.NRGBA{0x0f, 0x6b, 0x5c, 0xff}
	white = color.NRGBA{0xff, 0xff, 0xff, 0xff}
)

func main() {
	for _, i := range []struct {
		name   string
		size   int
		radius float64 // of the square's corners, in 24ths
		scale  float64 // of the bubble
	}{
		{"icon-192.png", 192, 7, 1},
		{"icon-512.png", 512, 7, 1},
		{"icon-maskable-512.png", 512, 0, .85},
		{"icon-180.png", 180, 0, .95}, // iOS rounds the corners itself
	} {
		if err := write(filepath.Join("web", "icons", i.name), draw(i.size, i.radius, i.scale)); err != nil {
			fmt.Fprintln(os.Stderr, "icons:", err)
			os.Exit(1)
		}
	}
}

func draw(size int, radius, scale float64) image.Image {
	const fine = 4 // samples per pixel and axis
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	unit := 24 / float64(size)
	for y := range size {
		for x := range size {
			var ground, ink float64
			for s := range fine * fine {
				p := point{(float64(x) + (float64(s%fine)+.5)/fine) * unit, (float64(y) + (float64(s/fine)+.5)/fine) * unit}
				if inSquare(p, radius) {
					ground++
				}
				if onBubble(point{12 + (p.x-12)/scale, 12 + (p.y-12)/scale}) {
					ink++
				}
			}
			img.SetNRGBA(x, y, blend(ground/(fine*fine), ink/(fine*fine)))
		}
	}
	return img
}

func blend(ground, ink float64) color.NRGBA {
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a)*(1-ink) + float64(b)*ink)) }
	return color.NRGBA{mix(green.R, white.R), mix(green.G, white.G), mix(green.B, white.B), uint8(math.Round(255 * ground))}
}

func inSquare(p point, r float64) bool {
	dx, dy := math.Max(math.Abs(p.x-12)-(12-r), 0), math.Max(math.Abs(p.y-12)-(12-r), 0)
	return math.Hypot(dx, dy) <= r || dx == 0 && dy == 0
}

// onBubble tells whether p lies on a stroke of 1.7 along the bubble's rounded outline.
func onBubble(p point) bool {
	const round, half = 1.2, .85
	return math.Abs(distance(p, shrunk(round))-round) <= half
}

// shrunk is the outline moved inwards, so that the distance to it plus round is the rounded outline.
func shrunk(by float64) []point {
	return []point{{6 + by, 6 + by}, {18 - by, 6 + by}, {18 - by, 15.5 - by}, {12.4, 15.5 - by}, {9, 17.4}, {9, 15.5 - by}, {6 + by, 15.5 - by}}
}

// distance is that of p to the polygon, negative inside.
func distance(p point, poly []point) float64 {
	best, inside := math.Inf(1), false
	for i, a := range poly {
		b := poly[(i+1)%len(poly)]
		t := ((p.x-a.x)*(b.x-a.x) + (p.y-a.y)*(b.y-a.y)) / ((b.x-a.x)*(b.x-a.x) + (b.y-a.y)*(b.y-a.y))
		t = math.Max(0, math.Min(1, t))
		best = math.Min(best, math.Hypot(p.x-a.x-t*(b.x-a.x), p.y-a.y-t*(b.y-a.y)))
		if (a.y > p.y) != (b.y > p.y) && p.x < (b.x-a.x)*(p.y-a.y)/(b.y-a.y)+a.x {
			inside = !inside
		}
	}
	if inside {
		return -best
	}
	return best
}

func write(path string, img image.Image) error {
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, img); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
