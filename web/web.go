package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// files are everything a browser may load. dist holds the built modules, or
// only .gitkeep where nothing was built yet.
//
//go:embed *.html *.css embed.js early.js focus.js boot.js sw.js sw-kill.js manifest.webmanifest icons/* all:dist
var files embed.FS

// built is dist/manifest.json as web/build writes it.
type built struct {
	Widget builtAsset `json:"widget"`
	Inbox  builtAsset `json:"inbox"`
	Exec   builtAsset `json:"exec"`
}

// builtAsset is stored as Name.br and Name.gz; Size is that of the plain bytes.
type builtAsset struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// readBuilt returns what dist holds; fs.ErrNotExist where no module was built.
func readBuilt(dist fs.FS) (b built, err error) {
	text, err := fs.ReadFile(dist, "manifest.json")
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return b, fmt.Errorf("dist/manifest.json: %w", err)
	}
	return b, nil
}

// script returns a script without the lines that hold only a comment and
// without indentation. Our scripts have no template literal over several
// lines, which this would change.
func script(name string) string { return strip(name, "//") }

// style returns a style sheet with each rule's indentation removed.
func style(name string) string { return strip(name, "\x00") }

func strip(name, comment string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		return "" // ui.css may be missing: it belongs to the components
	}
	var out bytes.Buffer
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, comment) || strings.HasPrefix(line, "/*") && strings.HasSuffix(line, "*/") && strings.Count(line, "*/") == 1 {
			continue
		}
		out.WriteString(line)
		out.WriteByte('\n')
	}
	return out.String()
}
