//go:build !js

package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write third_party.txt anew")

// licenses are those whose terms a program under the MIT license can keep, by
// words that only their texts hold.
var licenses = []struct{ name, words string }{
	{"Apache-2.0", "Apache License Version 2.0, January 2004"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted"},
	{"BSD-3-Clause", "Neither the name"},
	{"BSD-3-Clause", "may not be used to endorse or promote products derived"},
	{"BSD-2-Clause", "Redistribution and use in source and binary forms"},
}

func licenseOf(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, l := range licenses {
		if strings.Contains(text, l.words) {
			return l.name
		}
	}
	return ""
}

// linked lists the modules of a program: path, version and folder.
func linked(t testing.TB, program string, env ...string) [][3]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", program)
	cmd.Env = append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, errs.String())
	}
	var mods [][3]string
	for line := range strings.Lines(string(out)) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 {
			mods = append(mods, [3]string(f))
		}
	}
	return mods
}

// licenseText is what a module's folder says about its terms, its notices included.
func licenseText(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		switch strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".md"), ".txt")) {
		case "LICENSE", "LICENCE", "COPYING", "NOTICE":
			raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(strings.TrimSpace(strings.ReplaceAll(string(raw), "\r\n", "\n")) + "\n\n")
		}
	}
	return b.String()
}

// Everything that is linked is listed with its license, and each license is one we can keep.
func TestThirdParty(t *testing.T) {
	mods := append(linked(t, ".", "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"), linked(t, "../app", "GOOS=js", "GOARCH=wasm")...)
	slices.SortFunc(mods, func(a, b [3]string) int { return strings.Compare(a[0], b[0]) })
	mods = slices.Compact(mods)
	if len(mods) < 10 {
		t.Fatalf("only %d modules found", len(mods))
	}
	var list, texts strings.Builder
	fmt.Fprintf(&list, "Anteroom is made with Go, whose license is that of golang.org/x/crypto below, and with these modules:\n\n")
	var order []string
	of := make(map[string][]string)
	for _, m := range mods {
		text := licenseText(t, m[2])
		name := licenseOf(text)
		if name == "" {
			t.Errorf("%s: no license that we know we can keep", m[0])
		}
		fmt.Fprintf(&list, "%s %s (%s)\n", m[0], m[1], name)
		if of[text] == nil {
			order = append(order, text)
		}
		of[text] = append(of[text], m[0])
	}
	for _, text := range order {
		fmt.Fprintf(&texts, "\n%s\n%s\n\n%s\n", strings.Repeat("-", 72), strings.Join(of[text], "\n"), strings.TrimSpace(text))
	}
	want := list.String() + texts.String()
	if *update {
		if err := os.WriteFile("third_party.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != thirdParty {
		t.Error("third_party.txt is not what is linked; write it anew: go test ./server -run TestThirdParty -update")
	}
	if code, stdout, _ := runCommand(t, nil, "licenses"); code != 0 || stdout != thirdParty {
		t.Errorf("anteroom licenses: exit code %d, %d bytes", code, len(stdout))
	}
}

func TestUnknownLicensesAreRefused(t *testing.T) {
	for _, text := range []string{"", "All rights reserved.", "GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007", "Server Side Public License"} {
		if name := licenseOf(text); name != "" {
			t.Errorf("%q counts as %s", text, name)
		}
	}
}
