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
// place of the standard library's, and returns the overlay's path. A file
// called shim.go stands for its whole package, whose own files are taken out
// of the build; any other stands for the package's file of the same name, and
// an .edit changes single lines of it.
func writeOverlay(o options, work string) (string, error) {
	goroot, err := goCommand(o.dir, nil, "env", "GOROOT")
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	err = fs.WalkDir(shims, "shims", func(name string, d fs.DirEntry, err error) error {
		edit := strings.HasSuffix(name, ".go.edit")
		if err != nil || d.IsDir() || !edit && !strings.HasSuffix(name, ".go.txt") {
			return err
		}
		pkg := strings.TrimPrefix(path.Dir(name), "shims/")
		if o.only != "" && o.only != pkg {
			return nil
		}
		std := filepath.Join(goroot, "src", filepath.FromSlash(pkg))
		base := strings.TrimSuffix(path.Base(name), path.Ext(name))
		if base == "shim.go" {
			old, err := filepath.Glob(filepath.Join(std, "*"))
			if err != nil || len(old) == 0 {
				return fmt.Errorf("shim for %s: no such package in this Go (%v)", pkg, err)
			}
			for _, f := range old {
				if ext := filepath.Ext(f); ext == ".go" || ext == ".s" {
					replace[f] = "" // an empty path takes the file out
				}
			}
		} else if _, err := os.Stat(filepath.Join(std, base)); err != nil {
			return fmt.Errorf("shim for %s: no such file in this Go: %w", pkg, err)
		}
		text, err := shims.ReadFile(name)
		if err != nil {
			return err
		}
		if edit {
			if text, err = apply(text, filepath.Join(std, base)); err != nil {
				return err
			}
		}
		file := filepath.Join(work, strings.ReplaceAll(pkg, "/", "_")+"_"+base)
		replace[filepath.Join(std, base)] = file
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

// apply returns a file with each "-" line of edit replaced by the "+" line
// after it. A line that is not there exactly once is an error.
func apply(edit []byte, file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var old string
	for line := range strings.Lines(string(edit)) {
		switch line[0] {
		case '-':
			old = "\n" + line[1:]
		case '+':
			if n := strings.Count(string(text), old); old == "" || n != 1 {
				return nil, fmt.Errorf("edit of %s: %d lines like %q, want 1", filepath.Base(file), n, old)
			}
			text = []byte(strings.Replace(string(text), old, "\n"+line[1:], 1))
		}
	}
	return text, nil
}
