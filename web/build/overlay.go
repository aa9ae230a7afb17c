package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// shims holds the stand-ins, each in a folder named by the package it stands for.
//
//go:embed all:shims
var shims embed.FS

// writeOverlay writes the shims and an overlay file that puts them in the
// place of the standard library's packages, and returns the overlay's path.
// Every file of a replaced package is removed from the build.
func writeOverlay(o options, work string) (string, error) {
	goroot, err := goCommand(o.dir, nil, "env", "GOROOT")
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	err = fs.WalkDir(shims, "shims", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go.txt") {
			return err
		}
		pkg := strings.TrimPrefix(path.Dir(name), "shims/")
		std := filepath.Join(goroot, "src", filepath.FromSlash(pkg))
		old, err := filepath.Glob(filepath.Join(std, "*"))
		if err != nil || len(old) == 0 {
			return fmt.Errorf("shim for %s: no such package in this Go (%v)", pkg, err)
		}
		for _, f := range old {
			ext := filepath.Ext(f)
			if _, done := replace[f]; !done && (ext == ".go" || ext == ".s") && !strings.HasSuffix(f, "_test.go") {
				replace[f] = "" // an empty path takes the file out
			}
		}
		text, err := shims.ReadFile(name)
		if err != nil {
			return err
		}
		file := filepath.Join(work, strings.ReplaceAll(pkg, "/", "_")+"_"+strings.TrimSuffix(path.Base(name), ".txt"))
		replace[filepath.Join(std, strings.TrimSuffix(path.Base(name), ".txt"))] = file
		return os.WriteFile(file, text, 0o644)
	})
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(work, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o644)
}
